#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

namespace satellite::escape {

/// How long a verb waits for a peer. What is allowed answers at once, or after seconds on a busy
/// host; so this is what a dropped packet costs.
constexpr int patience_milliseconds = 6'000;

/// An IPv4 or IPv6 address with a port.
struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  const sockaddr_in& ipv4() const { return *reinterpret_cast<const sockaddr_in*>(&storage); }
  const sockaddr_in6& ipv6() const { return *reinterpret_cast<const sockaddr_in6*>(&storage); }
};

/// Of texts that a test wrote, so they are taken to be well-formed.
Address address_of(const char* text, const char* port);

/// Connects a socket that does not block; ETIMEDOUT when nobody says anything.
long connected(int fd, const Address& to);

}  // namespace satellite::escape
