#pragma once

#include "agent/checks/config/shell_variables.hpp"
#include "protocol/core_messages.hpp"

#include <optional>
#include <string>
#include <vector>

namespace satellite::agent {

struct CollectorEntry {
  std::string id;
  std::string collector_id;  ///< qualified
  std::string config_json;
};

/// An assignment for one environment, taken apart for a run.
struct CheckDefinition {
  CheckContext context;
  ScriptValue template_scope;  ///< `check`, `system`, `environment`
  std::vector<CollectorEntry> collectors;
};

/// Pure. The decoder has judged the assignment's shape; what is odd all the same becomes empty.
/// Source: core-contract 2.3, 4.1.
CheckDefinition define_check(const protocol::Assignment& assignment,
                             const std::optional<std::string>& environment_id);

}  // namespace satellite::agent
