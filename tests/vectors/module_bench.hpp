#pragma once

#include "agent/checks/check_result.hpp"
#include "vectors/conformance_case.hpp"

#include <memory>
#include <string>
#include <vector>

namespace satellite::vectors {

/// Runs inline scripts for real: behind the layers of the shipped default policy, by each
/// JavaScript runtime of this host.
class ModuleBench {
 public:
  ModuleBench();
  ~ModuleBench();

  /// `bun`, `node`: those that are on PATH and work here.
  const std::vector<std::string>& runtimes() const { return runtimes_; }
  /// Whether node, where it is one of them, can take types away.
  bool node_removes_types() const { return node_removes_types_; }
  /// What the collector reports of this case. Paths of the run are `<run>`.
  agent::CollectorOutcome run(const std::string& runtime, const json& test_case);

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::vector<std::string> runtimes_;
  bool node_removes_types_ = false;
};

/// The one of this process; made when the first case asks for it.
ModuleBench& module_bench();

}  // namespace satellite::vectors
