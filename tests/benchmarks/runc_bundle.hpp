#pragma once

#include "tests/support/temp_dir.hpp"

#include <string>
#include <vector>

namespace satellite::benchmarks {

/// What runc needs to run `sh -c 'echo hi'` behind the same kinds of walls: namespaces, the host's
/// programs read-only, no capability, another user.
/// In the words of the OCI runtime specification.
class RuncBundle {
 public:
  RuncBundle();
  /// runc is there, we are root, and one run of it succeeded.
  bool is_usable() const { return is_usable_; }
  std::vector<std::string> command() const;

 private:
  tests::TempDir directory_;
  bool is_usable_ = false;
};

}  // namespace satellite::benchmarks
