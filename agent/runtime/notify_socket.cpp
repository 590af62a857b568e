// libsystemd has no static library, and this is all that is wanted of it.
#include "agent/runtime/notify_socket.hpp"

#include "agent/runtime/log_line.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace satellite::agent {
namespace {

std::string taken(const char* name) {
  const char* const value = std::getenv(name);
  std::string text = value == nullptr ? "" : value;
  ::unsetenv(name);
  return text;
}

std::optional<long long> whole_number(const std::string& text) {
  long long number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc{} || rest != end || text.empty()) return std::nullopt;
  return number;
}

std::string status_line(std::string_view text) {
  return "STATUS=" + escaped_for_terminal(text) + "\n";
}

}  // namespace

NotifySocket::Settings NotifySocket::take_from_environment() {
  Settings settings;
  settings.socket = taken("NOTIFY_SOCKET");
  const auto interval = whole_number(taken("WATCHDOG_USEC"));
  const std::string watched = taken("WATCHDOG_PID");
  const bool is_ours = watched.empty() || whole_number(watched) == ::getpid();
  if (interval && *interval > 0 && is_ours)
    settings.watchdog = std::chrono::microseconds(*interval);
  return settings;
}

NotifySocket::NotifySocket(Settings settings) : settings_(std::move(settings)) {
  if (settings_.socket.empty()) return;
  socket_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

void NotifySocket::tell(const std::string& datagram) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& name = settings_.socket;
  if (!socket_ || name.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, name.data(), name.size());
  // An abstract name begins with a zero byte and ends with the address, a path ends with one.
  const bool is_abstract = name.front() == '@';
  if (is_abstract) address.sun_path[0] = '\0';
  const std::size_t size = offsetof(sockaddr_un, sun_path) + name.size() + (is_abstract ? 0U : 1U);
  static_cast<void>(::sendto(socket_.get(), datagram.data(), datagram.size(),
                             MSG_DONTWAIT | MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address),
                             static_cast<socklen_t>(size)));
}

void NotifySocket::ready(std::string_view status) {
  tell("READY=1\n" + status_line(status));
}

void NotifySocket::reloading(std::chrono::microseconds monotonic) {
  tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic.count()) + "\n");
}

void NotifySocket::stopping(std::chrono::microseconds limit, std::string_view status) {
  tell("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(limit.count()) + "\n" +
       status_line(status));
}

void NotifySocket::status(std::string_view text) {
  tell(status_line(text));
}

void NotifySocket::alive() {
  tell("WATCHDOG=1\n");
}

std::optional<std::chrono::microseconds> NotifySocket::alive_every() const {
  if (!socket_ || settings_.watchdog.count() == 0) return std::nullopt;
  return settings_.watchdog / 2;
}

}  // namespace satellite::agent
