#include "tests/escape/flow_peer.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <cstdlib>
#include <stdexcept>

namespace satellite::tests {
namespace {

constexpr int patience_milliseconds = 10'000;

bool is_readable(const UniqueFd& fd, int milliseconds = patience_milliseconds) {
  pollfd waiting{fd.get(), POLLIN, 0};
  return ::poll(&waiting, 1, milliseconds) == 1;
}

}  // namespace

FlowPeer::FlowPeer(const TestNetwork& network) {
  network.in_world(
      [this] { listening_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); });
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  if (::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(listening_.get(), 8) != 0) {
    throw std::runtime_error("the peer cannot listen");
  }
}

bool FlowPeer::accept() {
  if (!is_readable(listening_)) return false;
  flow_ = UniqueFd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  return bool{flow_};
}

bool FlowPeer::has_visitor() const {
  return is_readable(listening_, 0);
}

bool FlowPeer::is_answered(const std::string& text) {
  if (::send(flow_.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) return false;
  std::string answer;
  while (answer.size() < text.size() && is_readable(flow_)) {
    char bytes[256];
    const ssize_t got = ::recv(flow_.get(), bytes, sizeof(bytes), 0);
    if (got <= 0) return false;
    answer.append(bytes, static_cast<std::size_t>(got));
  }
  return answer == text;
}

bool FlowPeer::ends() {
  if (!is_readable(flow_)) return false;
  char byte = 0;
  return ::recv(flow_.get(), &byte, 1, 0) <= 0;
}

}  // namespace satellite::tests
