#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/host/macvlan_settings.hpp"

#include <sys/types.h>
#include <functional>
#include <string>

namespace satellite::tests {

/// A small internet in network namespaces of this test: the calling process lives in `host`, which
/// reaches a `world` with servers over a veth pair. Needs root; undone at the end.
///
/// Shape:  servers for TCP and UDP answer on port 7000 of every address of the world and of the
///         host, its loopback among them, and on port 53 of the host; each answer begins with `hi`.
class TestNetwork {
 public:
  static constexpr const char* host = "198.51.100.10";      ///< the host's own, beside the world
  static constexpr const char* router = "198.51.100.1";     ///< an address of the world
  static constexpr const char* neighbour = "198.51.100.2";  ///< one beside it
  static constexpr const char* far = "203.0.113.7";         ///< behind the router
  static constexpr const char* metadata = "169.254.169.254";
  static constexpr const char* router6 = "2001:db8:1::1";
  static constexpr const char* neighbour6 = "2001:db8:1::2";
  static constexpr const char* far6 = "2001:db8:9::7";
  static constexpr const char* metadata6 = "fd00:ec2::254";

  TestNetwork();
  ~TestNetwork();
  TestNetwork(const TestNetwork&) = delete;
  TestNetwork& operator=(const TestNetwork&) = delete;

  /// An address of the world's network that runs may have, IPv4 and IPv6 ending in the number.
  sandbox::MacvlanSettings macvlan(int number = 20) const;

  /// The sockets that `body` makes are the world's.
  void in_world(const std::function<void()>& body) const;

 private:
  UniqueFd before_, world_, host_;
  pid_t world_server_ = -1, host_server_ = -1, host_name_server_ = -1;
};

/// Runs `body` in a child that is uid 65532 with a /dev/net/tun it may open; what it returns.
/// Everything else, the network namespace among it, is the caller's.
std::string as_uid_65532(const std::function<std::string()>& body);

/// Shell text that defines `tcp NAME ADDRESS` and `udp NAME ADDRESS`: prints `NAME yes` or `NAME
/// no`. An expected no waits for `seconds`.
std::string connecting_functions();

}  // namespace satellite::tests
