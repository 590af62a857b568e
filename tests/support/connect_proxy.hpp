#pragma once

#include "tests/devcore/temporary_certificate.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace satellite::tests {

/// What a proxy does with who comes.
struct ProxyConduct {
  enum class Kind {
    tunnel,         ///< what it is there for
    answer,         ///< sends `bytes` to the question and closes
    answer_at_once  ///< the same, and then neither closes nor reads
  };
  Kind kind = Kind::tunnel;
  std::string bytes{};
};

/// An HTTP proxy on loopback, on a thread of its own. Wherever CONNECT asks to go, the tunnel leads
/// to one port of this host: so a core may have any name, and nobody has to look that up.
///
/// Shape:  may be called from any thread.
class ConnectProxy {
 public:
  struct Options {
    std::uint16_t core_port = 0;
    std::string address = "127.0.0.1";
    std::optional<tls::CertifiedKey> certificate{};  ///< then TLS is spoken to the proxy itself
    std::string credentials{};  ///< what stands behind `Basic `; else everybody is let through
  };
  explicit ConnectProxy(Options options);
  ~ConnectProxy();
  ConnectProxy(const ConnectProxy&) = delete;
  ConnectProxy& operator=(const ConnectProxy&) = delete;

  std::uint16_t port() const;
  /// With the address, in brackets if it must be.
  std::string url() const;

  /// From the next connection on.
  void behave(ProxyConduct conduct);
  void lead_to(std::uint16_t core_port);
  /// Closes all that goes through it.
  void cut();

  /// The questions so far, each up to its empty line.
  std::vector<std::string> questions() const;

 private:
  class Relay;
  std::unique_ptr<Relay> relay_;
};

}  // namespace satellite::tests
