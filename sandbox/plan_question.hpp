#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/host_facts.hpp"
#include "sandbox/identity_range.hpp"
#include "sandbox/plan.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace satellite::sandbox {

/// "What would you do with this policy on that host?", JSON in, JSON out.
///
/// Shape:  in: `policy` (default: the shipped one), `caps` (default: this host), `command` or
///         `script`, `env`, `cwd`, `scratchDir`, `engines` (default: all); all optional. Out:
///         `decision` (`run` or `refuse`), `steps`, `commandLine`, `env`, `droppedEnv`, `limits`,
///         `sandbox`. Nothing is started. `default_identity` fills a missing privilege.uid under a
///         root supervisor, as in a run; so does the first id of `identity_range`, which goes
///         first.
/// Errors: invalid_input or limit_exceeded, naming the member at fault.
Result<std::string> answer_plan_question(std::string_view question,
                                         const std::function<HostFacts()>& this_host,
                                         const std::optional<Identity>& default_identity,
                                         const std::optional<IdentityRange>& identity_range = {});

}  // namespace satellite::sandbox
