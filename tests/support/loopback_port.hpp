#pragma once

#include "protocol/vocabulary/unique_fd.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <cstdint>
#include <stdexcept>

namespace satellite::tests {

/// A TCP port of this host's 127.0.0.1 that listens: the kernel takes connections to it, up to the
/// queue, and nobody says a word unless the owner does.
class LoopbackPort {
 public:
  explicit LoopbackPort(int queue = 8) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof(address);
    if (::bind(socket_.get(), name, size) != 0 || ::listen(socket_.get(), queue) != 0 ||
        ::getsockname(socket_.get(), name, &size) != 0) {
      throw std::runtime_error("no port on loopback");
    }
    number_ = ntohs(address.sin_port);
  }

  int fd() const { return socket_.get(); }
  std::uint16_t number() const { return number_; }

 private:
  UniqueFd socket_;
  std::uint16_t number_ = 0;
};

}  // namespace satellite::tests
