#include "agent/runtime/log_output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

namespace satellite::agent {
namespace {

UniqueFd opened_anew(int fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return UniqueFd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
}

}  // namespace

LogOutput::LogOutput(int borrowed_fd) : fd_(borrowed_fd) {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return;
  if (S_ISREG(status.st_mode)) {
    kind_ = Kind::file;
  } else if (S_ISSOCK(status.st_mode)) {
    kind_ = Kind::socket;
  } else if (S_ISFIFO(status.st_mode) || ::isatty(fd_) == 1) {
    own_ = opened_anew(fd_);
    if (own_) kind_ = Kind::reopened;
  }
}

std::int64_t LogOutput::put(std::string_view bytes) {
  if (fd_ < 0) return -1;
  std::int64_t taken = -1;
  do {
    switch (kind_) {
      case Kind::file:
        taken = ::write(fd_, bytes.data(), bytes.size());
        break;
      case Kind::reopened:
        taken = ::write(own_.get(), bytes.data(), bytes.size());
        break;
      case Kind::socket:
        taken = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
      case Kind::shared: {
        pollfd ready{fd_, POLLOUT, 0};
        if (::poll(&ready, 1, 0) == 0) return 0;
        taken = ::write(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
        break;
      }
    }
  } while (taken < 0 && errno == EINTR);
  if (taken < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
  return taken;
}

bool LogOutput::flush() {
  std::size_t written = 0;
  while (written < waiting_.size()) {
    const std::int64_t taken = put(std::string_view(waiting_).substr(written));
    if (taken == 0) break;
    if (taken < 0) {
      lost_ += static_cast<std::uint64_t>(std::count(
          waiting_.begin() + static_cast<std::ptrdiff_t>(written), waiting_.end(), '\n'));
      written = waiting_.size();
      break;
    }
    written += static_cast<std::size_t>(taken);
  }
  waiting_.erase(0, written);
  return waiting_.empty();
}

void LogOutput::write(std::string_view line) {
  // Once a line is lost, those that follow are lost too, until their number can be written instead.
  if (!flush() && (lost_ > 0 || waiting_.size() + line.size() > waiting_size_max.value)) {
    ++lost_;
    return;
  }
  waiting_ += line;
  flush();
}

std::uint64_t LogOutput::take_lost() {
  return std::exchange(lost_, 0);
}

}  // namespace satellite::agent
