#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/host/engines.hpp"
#include "sandbox/host/host_facts.hpp"
#include "sandbox/host/host_view.hpp"
#include "sandbox/planning/operators_word.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// "What would you do with this policy on that host?", JSON in, JSON out.
///
/// Shape:  in: `policy` (default: the shipped one), `caps` (default: this host), `command` or
///         `script`, `env`, `cwd`, `scratchDir`, `engines`; all optional. Out:
///         `decision` (`run` or `refuse`), `steps`, `commandLine`, `env`, `droppedEnv`, `limits`,
///         `sandbox`. Nothing is started. The operator's word holds as in a run, for a supervisor
///         as `caps` has it; so do its engines (sandbox.engines), which `engines` of the question
///         only narrows down, and its identities, the first id of the range before the other; and
///         what it shows scripts of this host.
/// Errors: invalid_input or limit_exceeded, naming the member at fault.
Result<std::string> answer_plan_question(std::string_view question,
                                         const std::function<HostFacts()>& this_host,
                                         OperatorsWord word = {},
                                         const std::vector<Engine>& engines = all_engines(),
                                         const HostView& host_view = {});

}  // namespace satellite::sandbox
