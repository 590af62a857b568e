#pragma once

#include "sandbox/host/engines.hpp"
#include "sandbox/host/host_facts.hpp"
#include "sandbox/host/identity.hpp"
#include "sandbox/policy/policy_provider.hpp"
#include "sandbox/report/report.hpp"

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// One log line as a value: the agent writes it, the sandbox only words it.
struct LogText {
  std::string text;
  std::vector<std::pair<std::string, std::string>> fields;  ///< layer and what is said about it
};

/// `script sandbox capabilities`: what this host has and what the policy will therefore get on it,
/// computed as if it said `degrade`, so that a refusing policy is explained too.
nlohmann::json startup_capabilities(const ResolvedPolicy& resolved, const HostFacts& facts,
                                    const std::optional<Identity>& default_identity,
                                    const std::optional<IdentityRange>& identity_range = {},
                                    const std::vector<Engine>& engines = all_engines());

/// `script sandbox degraded: network not fully enforced on linux`; nothing without downgrades.
std::optional<LogText> downgrade_warning(const EffectiveSandbox& report);

/// `script sandbox notes (resources) on linux`; nothing without notes.
std::optional<LogText> run_notes(const EffectiveSandbox& report);

}  // namespace satellite::sandbox
