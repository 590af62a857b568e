// Same rules as script_child.cpp: no libc, no allocation; compiled into the agent and,
// freestanding, into the forwarder program.
#include "sandbox/launcher/bare/forwarded_connection.hpp"

#include "sandbox/launcher/bare/loopback.hpp"
#include "sandbox/launcher/bare/raw_syscall.hpp"

#include <asm/errno.h>
#include <asm/socket.h>
#include <linux/fcntl.h>
#include <linux/tcp.h>

namespace satellite::sandbox::bare {
namespace {

constexpr long held_max = 64L << 10;  // what a pipe takes unless somebody made it larger
constexpr int protocol_tcp = 6;
constexpr std::uint8_t tcp_is_connecting = 2;  // TCP_SYN_SENT
constexpr long splice_flags = 1 | 2;  // SPLICE_F_MOVE | SPLICE_F_NONBLOCK, of libc's fcntl.h

bool would_block(long result) {
  return result == -EAGAIN || result == -EINTR;
}

}  // namespace

bool ForwardedConnection::begin(int inner, int outer) {
  *this = ForwardedConnection();
  ends_[0].socket = inner;
  ends_[1].socket = outer;
  state_ = State::going_on;
  for (End& end : ends_) {
    int pipe[2] = {-1, -1};
    if (call(__NR_pipe2, address(pipe), O_CLOEXEC | O_NONBLOCK) != 0) {
      close();
      return false;
    }
    end.pipe_out = pipe[0];
    end.pipe_in = pipe[1];
    const int at_once = 1;
    call(__NR_setsockopt, end.socket, protocol_tcp, TCP_NODELAY, address(&at_once),
         sizeof(at_once));
  }
  return true;
}

void ForwardedConnection::close() {
  for (End& end : ends_) {
    const int descriptors[] = {end.socket, end.pipe_out, end.pipe_in};
    for (const int fd : descriptors) {
      if (fd >= 0) call(__NR_close, fd);
    }
    end = End();
  }
  state_ = State::free;
}

void ForwardedConnection::reset() {
  const struct { int on, seconds; } at_once{1, 0};
  for (const End& end : ends_) {
    call(__NR_setsockopt, end.socket, SOL_SOCKET, SO_LINGER, address(&at_once), sizeof(at_once));
  }
  state_ = State::over;
}

/// Edges are told once, so this goes on until nothing more can be done.
bool ForwardedConnection::move(End& from, End& to) {
  for (bool moved = true; moved;) {
    moved = false;
    if (!from.has_ended && from.held < held_max) {
      const long taken =
          call(__NR_splice, from.socket, 0, from.pipe_in, 0, held_max - from.held, splice_flags);
      if (taken < 0 && !would_block(taken)) return false;
      from.has_ended = taken == 0;
      if (taken > 0) from.held += taken;
      moved = taken > 0;
    }
    if (from.held > 0) {
      const long given = call(__NR_splice, from.pipe_out, 0, to.socket, 0, from.held, splice_flags);
      if (given < 0 && !would_block(given)) return false;
      if (given > 0) from.held -= given;
      moved = moved || given > 0;
    }
  }
  if (from.has_ended && from.held == 0 && !to.is_shut) {
    call(__NR_shutdown, to.socket, shut_writing);
    to.is_shut = true;
  }
  return true;
}

bool ForwardedConnection::is_connected() {
  tcp_info facts{};
  int size = sizeof(facts);
  const long asked =
      call(__NR_getsockopt, outer(), protocol_tcp, TCP_INFO, address(&facts), address(&size));
  connected_ = asked == 0 && facts.tcpi_state != tcp_is_connecting;
  return connected_;
}

void ForwardedConnection::forward() {
  int problem = 0;
  int size = sizeof(problem);
  if (!connected_) {
    call(__NR_getsockopt, outer(), SOL_SOCKET, SO_ERROR, address(&problem), address(&size));
    if (problem == 0 && !is_connected()) return;
  }
  if (problem != 0 || !move(ends_[0], ends_[1]) || !move(ends_[1], ends_[0])) return reset();
  if (ends_[0].is_shut && ends_[1].is_shut) state_ = State::over;
}

}  // namespace satellite::sandbox::bare
