#include "tests/escape/probe/internet.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace satellite::escape {

Address address_of(const char* text, const char* port) {
  Address address;
  const auto number = htons(static_cast<unsigned short>(std::atoi(port)));
  auto* const four = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* const six = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (std::strchr(text, ':') != nullptr) {
    six->sin6_family = AF_INET6;
    six->sin6_port = number;
    ::inet_pton(AF_INET6, text, &six->sin6_addr);
    address.size = sizeof(*six);
  } else {
    four->sin_family = AF_INET;
    four->sin_port = number;
    ::inet_pton(AF_INET, text, &four->sin_addr);
    address.size = sizeof(*four);
  }
  return address;
}

long connected(int fd, const Address& to) {
  if (::connect(fd, to.get(), to.size) == 0) return 0;
  if (errno != EINPROGRESS) return -errno;
  pollfd waiting{fd, POLLOUT, 0};
  if (::poll(&waiting, 1, patience_milliseconds) == 0) return -ETIMEDOUT;
  int problem = 0;
  socklen_t size = sizeof(problem);
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size);
  return -problem;
}

}  // namespace satellite::escape
