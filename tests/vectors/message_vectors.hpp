#pragma once

#include "vectors/conformance_case.hpp"

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace satellite::vectors {

struct VectorOutcome {
  bool passed = false;
  std::string detail;  ///< what was expected and what was found, if it did not pass
};

/// A recorded frame of the core against the agent's door: `accept` must be a message of which
/// nothing was rejected, policy included; `accept: false` must be refused, by decode or by whoever
/// judges the part that decode carries on.
VectorOutcome check_core_to_satellite(const nlohmann::json& test_case);

/// A recorded frame of an agent against devcore's door, so that our core is as strict as theirs.
VectorOutcome check_satellite_to_core(const nlohmann::json& test_case);

/// Both schemas for the vector runner; the answers that are compared are `{"accept": …}`.
std::vector<ConformanceCase> message_conformance_cases();

}  // namespace satellite::vectors
