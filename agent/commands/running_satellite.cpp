// One question over a unix socket, with a bound on everything: the answer's time and size.
#include "agent/commands/running_satellite.hpp"

#include "protocol/vocabulary/unique_fd.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

namespace satellite::agent {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds answer_within{10};
constexpr std::size_t answer_size_max = 4U << 20U;
constexpr const char* usual_socket = "/run/checkstack-satellite/status.sock";

/// False past the deadline.
bool is_ready_for(int fd, short events, Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  pollfd ready{fd, events, 0};
  return left.count() > 0 && ::poll(&ready, 1, static_cast<int>(left.count())) == 1;
}

Error no_answer(const std::string& path) {
  return Error{ErrorCode::timed_out, path + ": the satellite does not answer"};
}

Result<UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error{ErrorCode::invalid_input, path + ": too long for a socket"};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return error_from_errno("socket", errno);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    // Its queue is full: so many ask it, or it stands still.
    if (errno == EAGAIN) return no_answer(path);
    return error_from_errno(path, errno);
  }
  return fd;
}

Result<SatelliteAnswer> ask(const std::string& path, const std::string& what) {
  const auto deadline = Clock::now() + answer_within;
  const auto fd = connect_to(path);
  if (!fd) return fd.error();
  const std::string request = "GET " + what + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  if (::send(fd->get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return error_from_errno(path, errno);
  }
  std::string bytes;
  std::array<char, 16'384> piece{};
  while (bytes.size() < answer_size_max) {
    if (!is_ready_for(fd->get(), POLLIN, deadline)) return no_answer(path);
    const ssize_t got = ::recv(fd->get(), piece.data(), piece.size(), 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return error_from_errno(path, errno);
    if (got == 0) break;
    bytes.append(piece.data(), static_cast<std::size_t>(got));
  }
  constexpr std::string_view begin = "HTTP/1.1 ";
  const auto body = bytes.find("\r\n\r\n");
  if (!bytes.starts_with(begin) || body == std::string::npos) return no_answer(path);
  SatelliteAnswer answer;
  answer.status = static_cast<unsigned>(std::atoi(bytes.c_str() + begin.size()));
  answer.body = bytes.substr(body + 4);
  return answer;
}

std::vector<std::string> places(const Config& config) {
  if (!config.status_socket.empty()) return {config.status_socket};
  return {usual_socket, config.state_directory + "/status.sock"};
}

}  // namespace

Result<SatelliteAnswer> ask_satellite(const Config& config, const std::string& page) {
  std::string problems;
  ErrorCode code = ErrorCode::unavailable;
  for (const std::string& path : places(config)) {
    const auto answer = ask(path, page);
    // Both answers of /readyz are answers.
    if (answer && (answer->status == 200 || answer->status == 503)) return answer;
    // It may well run, and have others to answer.
    if (!answer && answer.error().code == ErrorCode::not_permitted) code = answer.error().code;
    problems += (problems.empty() ? "" : "; ") +
                (answer ? path + ": answers with status " + std::to_string(answer->status)
                        : answer.error().message);
  }
  return Error{code, "no satellite answers: " + problems};
}

}  // namespace satellite::agent
