#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "tests/support/test_network.hpp"

#include <cstdint>
#include <string>

namespace satellite::tests {

/// The other end of a script's connection (verb keep-flow), on port 7001 of every address of the
/// world. Every wait has a bound; what did not come in time is `false`.
class FlowPeer {
 public:
  static constexpr const char* port = "7001";

  explicit FlowPeer(const TestNetwork& network);

  /// Takes the next connection; the one before is let go.
  bool accept();
  /// Whether somebody has come and was not accepted.
  bool has_visitor() const;
  /// Whether the script sends back what it is sent.
  bool is_answered(const std::string& text);
  /// Whether the script's end is gone, by an end of file or an error.
  bool ends();

 private:
  UniqueFd listening_, flow_;
};

}  // namespace satellite::tests
