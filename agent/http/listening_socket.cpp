#include "agent/http/listening_socket.hpp"

#include "protocol/vocabulary/printable.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

namespace satellite::agent {
namespace {

constexpr int backlog = 64;
constexpr mode_t owner_and_group = 0660;

/// Nobody answers there: the process that made it is gone.
bool is_left_behind(const sockaddr_un& address) {
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return false;
  const int connected =
      ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return connected != 0 && errno == ECONNREFUSED;
}

Result<void> make_room(const std::string& path, const sockaddr_un& address) {
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0) {
    if (errno == ENOENT) return {};
    return error_from_errno("status socket " + path, errno);
  }
  if (!S_ISSOCK(facts.st_mode)) {
    return Error{ErrorCode::invalid_input,
                 "status socket " + path + ": something that is no socket has this name"};
  }
  if (!is_left_behind(address)) {
    return Error{ErrorCode::unavailable,
                 "status socket " + path + ": another process listens there"};
  }
  if (::unlink(path.c_str()) != 0) return error_from_errno("status socket " + path, errno);
  return {};
}

struct LoopbackAddress {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

std::optional<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (problem != std::errc{} || rest != text.data() + text.size()) return std::nullopt;
  return port;
}

std::optional<LoopbackAddress> parse_loopback(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  const auto port = port_of(std::string_view(text).substr(colon + 1));
  if (!port) return std::nullopt;
  std::string host = text.substr(0, colon);
  LoopbackAddress address;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    auto& six = reinterpret_cast<sockaddr_in6&>(address.bytes);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(*port);
    if (::inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) != 1) return std::nullopt;
    if (!IN6_IS_ADDR_LOOPBACK(&six.sin6_addr)) return std::nullopt;
    address.size = sizeof six;
    return address;
  }
  auto& four = reinterpret_cast<sockaddr_in&>(address.bytes);
  four.sin_family = AF_INET;
  four.sin_port = htons(*port);
  if (::inet_pton(AF_INET, host.c_str(), &four.sin_addr) != 1) return std::nullopt;
  if (ntohl(four.sin_addr.s_addr) >> 24U != 127) return std::nullopt;
  address.size = sizeof four;
  return address;
}

}  // namespace

Result<ListeningSocket> listen_on_path(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error{ErrorCode::invalid_input,
                 "status socket " + path + ": a path of at most 107 bytes is needed; name another"};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (const auto room = make_room(path, address); !room) return room.error();
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Nobody can connect before listen(2), so nobody gets in before it has its mode.
  if (!fd || ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(path.c_str(), owner_and_group) != 0 || ::listen(fd.get(), backlog) != 0) {
    return error_from_errno("status socket " + path, errno);
  }
  return ListeningSocket{std::move(fd), path, path};
}

Result<void> check_loopback(const std::string& address) {
  if (parse_loopback(address)) return {};
  return Error{ErrorCode::invalid_input, "'" + printable(address) +
                                             "' is neither a path nor a loopback address with its "
                                             "port, as 127.0.0.1:9464 or [::1]:9464"};
}

Result<ListeningSocket> listen_on_loopback(const std::string& text) {
  const auto address = parse_loopback(text);
  if (!address) return check_loopback(text).error();
  UniqueFd fd(::socket(address->bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  // A satellite that was just stopped leaves connections of this port behind.
  if (fd) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!fd ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address->bytes), address->size) != 0 ||
      ::listen(fd.get(), backlog) != 0) {
    return error_from_errno("status on " + text, errno);
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return error_from_errno("status on " + text, errno);
  }
  // Both families have the port in the same place.
  const auto port = ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port);
  return ListeningSocket{std::move(fd), "",
                         text.substr(0, text.rfind(':') + 1) + std::to_string(port)};
}

}  // namespace satellite::agent
