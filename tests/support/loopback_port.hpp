#pragma once

#include "protocol/vocabulary/unique_fd.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <cstdint>
#include <stdexcept>

namespace satellite::tests {

/// A TCP port of this host's 127.0.0.1 at which nobody listens, and which no other program gets by
/// chance: whoever names it with SO_REUSEADDR may listen there, again and again.
class ReservedPort {
 public:
  ReservedPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int yes = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof(address);
    if (::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        ::bind(socket_.get(), name, size) != 0 || ::getsockname(socket_.get(), name, &size) != 0) {
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

/// One that listens: the kernel takes connections to it, up to the queue, and nobody says a word
/// unless the owner does.
class LoopbackPort {
 public:
  explicit LoopbackPort(int queue = 8) {
    if (::listen(port_.fd(), queue) != 0) throw std::runtime_error("no port on loopback");
  }

  int fd() const { return port_.fd(); }
  std::uint16_t number() const { return port_.number(); }

 private:
  ReservedPort port_;
};

}  // namespace satellite::tests
