#pragma once

#include <cstddef>
#include <cstdint>

// Loopback sockets without libc. The numbers below stand in sys/socket.h, which belongs to libc.

namespace satellite::sandbox::bare {

constexpr int family_ipv4 = 2, family_ipv6 = 10, family_netlink = 16;
constexpr int socket_stream = 1, socket_raw = 3;
constexpr int shut_reading = 0, shut_writing = 1;

/// A port of 127.0.0.1 or ::1.
struct Place {
  int family = family_ipv4;
  std::uint16_t port = 0;
};

/// Where a connection to loopback would be taken by one listening socket of the kernel's answer.
struct HostListener {
  bool ipv4 = false, ipv6 = false;
  std::uint16_t port = 0;

  bool takes(const Place& place) const {
    return place.port == port && (place.family == family_ipv4 ? ipv4 : ipv6);
  }
};

/// Reads one; bytes that are none take no connection. Pure.
///
/// Shape:  a socket for all addresses counts, for IPv4 also an IPv6 one that takes both. One whose
///         queue is full does not: a connection would wait there.
/// Source: sock_diag(7); linux/inet_diag.h.
HostListener read_listener(const char* answer, std::size_t size);

/// What one datagram of the kernel's answer says of the dump.
enum class DumpReading { goes_on, complete, failed };

/// Sets `found[i]` for each of the places that a listener in it takes; messages with another number
/// belong to a question whose answer came too late. Pure.
///
/// Source: netlink(7); the end of a dump says how it went.
DumpReading read_listeners(const char* answer, std::size_t size, std::uint32_t sequence,
                           const Place* places, bool* found, int count);

/// The kernel's list of listening sockets, of the network namespace it was opened in.
class HostListeners {
 public:
  /// Errors: the negated errno.
  static long open();
  constexpr explicit HostListeners(int socket) : socket_(socket) {}

  /// Sets `found[i]` for each of the places that the host has a listener for now.
  ///
  /// Errors: false, where the kernel does not answer or says that it cannot.
  bool look(const Place* places, bool* found, int count);

 private:
  bool ask(int family, const Place* places, bool* found, int count);

  int socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace satellite::sandbox::bare
