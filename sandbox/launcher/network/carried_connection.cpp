#include "sandbox/launcher/network/carried_connection.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>
#include <utility>

namespace satellite::sandbox {
namespace {

constexpr std::size_t held_max = 64U << 10U;  // what a pipe takes unless somebody made it larger

bool would_block() {
  return errno == EAGAIN || errno == EINTR;
}

}  // namespace

std::optional<CarriedConnection> CarriedConnection::make(UniqueFd inner, UniqueFd outer) {
  CarriedConnection made;
  made.ends_[0].socket = std::move(inner);
  made.ends_[1].socket = std::move(outer);
  for (auto& end : made.ends_) {
    int pipe[2] = {-1, -1};
    if (::pipe2(pipe, O_CLOEXEC | O_NONBLOCK) != 0) return std::nullopt;
    end.pipe_out = UniqueFd(pipe[0]);
    end.pipe_in = UniqueFd(pipe[1]);
    const int at_once = 1;
    ::setsockopt(end.socket.get(), IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof(at_once));
  }
  return made;
}

void CarriedConnection::reset() const {
  constexpr linger at_once{1, 0};
  for (const auto& end : ends_) {
    ::setsockopt(end.socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }
}

/// Edges are told once, so this goes on until nothing more can be done.
bool CarriedConnection::move(End& from, End& to) {
  constexpr unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
  for (bool moved = true; moved;) {
    moved = false;
    if (!from.has_ended && from.held < held_max) {
      const ssize_t taken = ::splice(from.socket.get(), nullptr, from.pipe_in.get(), nullptr,
                                     held_max - from.held, flags);
      if (taken < 0 && !would_block()) return false;
      from.has_ended = taken == 0;
      if (taken > 0) from.held += static_cast<std::size_t>(taken);
      moved = taken > 0;
    }
    if (from.held > 0) {
      const ssize_t given =
          ::splice(from.pipe_out.get(), nullptr, to.socket.get(), nullptr, from.held, flags);
      if (given < 0 && !would_block()) return false;
      if (given > 0) from.held -= static_cast<std::size_t>(given);
      moved = moved || given > 0;
    }
  }
  if (from.has_ended && from.held == 0 && !to.is_shut) {
    ::shutdown(to.socket.get(), SHUT_WR);
    to.is_shut = true;
  }
  return true;
}

bool CarriedConnection::is_connected() {
  tcp_info facts{};
  socklen_t size = sizeof(facts);
  if (::getsockopt(outer(), IPPROTO_TCP, TCP_INFO, &facts, &size) != 0) return false;
  connected_ = facts.tcpi_state != TCP_SYN_SENT;
  return connected_;
}

CarriedConnection::State CarriedConnection::carry() {
  int problem = 0;
  socklen_t size = sizeof(problem);
  if (!connected_) {
    ::getsockopt(outer(), SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem == 0 && !is_connected()) return State::going_on;
  }
  if (problem != 0 || !move(ends_[0], ends_[1]) || !move(ends_[1], ends_[0])) {
    reset();
    return State::over;
  }
  const bool is_over = ends_[0].is_shut && ends_[1].is_shut;
  return is_over ? State::over : State::going_on;
}

}  // namespace satellite::sandbox
