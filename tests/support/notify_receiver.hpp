#pragma once

#include "protocol/vocabulary/unique_fd.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace satellite::tests {

/// The end of a service manager: takes the datagrams of sd_notify(3).
class NotifyReceiver {
 public:
  /// A path, or `@name`.
  explicit NotifyReceiver(std::string name) : name_(std::move(name)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name_.data(), name_.size());
    const bool is_abstract = name_.front() == '@';
    if (is_abstract) address.sun_path[0] = '\0';
    const std::size_t size =
        offsetof(sockaddr_un, sun_path) + name_.size() + (is_abstract ? 0U : 1U);
    socket_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address),
               static_cast<socklen_t>(size)) != 0) {
      throw std::runtime_error("cannot bind " + name_);
    }
  }

  const std::string& name() const { return name_; }

  /// All that came so far, one text for each datagram.
  const std::vector<std::string>& received() {
    std::array<char, 8192> piece{};
    for (;;) {
      const auto got = ::recv(socket_.get(), piece.data(), piece.size(), 0);
      if (got < 0) return received_;
      received_.emplace_back(piece.data(), static_cast<std::size_t>(got));
    }
  }
  /// How many datagrams begin like this.
  std::size_t count(const std::string& begin) {
    std::size_t found = 0;
    for (const std::string& text : received()) found += text.rfind(begin, 0) == 0 ? 1U : 0U;
    return found;
  }

 private:
  std::string name_;
  UniqueFd socket_;
  std::vector<std::string> received_;
};

}  // namespace satellite::tests
