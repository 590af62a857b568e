#include "sandbox/planning/observability.hpp"

#include "sandbox/planning/build_plan.hpp"
#include "sandbox/planning/network_decision.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace satellite::sandbox {
namespace {

/// Each layer once, in the order in which it is first named.
std::string layer_list(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::vector<std::string> names;
  for (const auto& [name, text] : fields) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

/// Several things said about one layer become one field, so that no line repeats a key.
void add_field(LogText& log, std::string_view layer, const std::string& text) {
  for (auto& [name, value] : log.fields) {
    if (name != layer) continue;
    value += "; " + text;
    return;
  }
  log.fields.emplace_back(layer, text);
}

/// Turns a downgrade that is only due to egress that was not tried yet into a note.
void leave_out_untried_network(EffectiveSandbox& report) {
  const auto erased = std::erase_if(report.downgrades, [](const Downgrade& downgrade) {
    return downgrade.layer == Layer::network && downgrade.reason.starts_with(egress_not_tried_yet);
  });
  if (erased != 0) {
    report.notes.push_back({Layer::network, std::string(egress_not_tried_yet)});
  }
}

}  // namespace

nlohmann::json startup_capabilities(const ResolvedPolicy& resolved, const HostFacts& facts,
                                    const std::optional<Identity>& default_identity,
                                    const std::optional<IdentityRange>& identity_range,
                                    const std::vector<Engine>& engines) {
  ResolvedPolicy degrading = resolved;
  degrading.policy.on_unavailable = OnUnavailable::degrade;
  RunInputs inputs;
  inputs.command = {"sh", "-c", ":"};
  inputs.scratch_directory = "/tmp/checkstack-run";
  inputs.launcher_makes_network = true;  // as every run of the satellite has it
  inputs.engines = engines;
  inputs.default_identity = default_identity;
  offer_from(identity_range, inputs);
  const HostPaths everything{[](const std::string&) { return true; },
                             [](const std::string& path) { return std::optional(path); }};
  const auto decision = build_plan(degrading, facts, std::move(inputs), everything);
  // Without a policy yet, a host that cannot confine has every run refused.
  const auto* refusal = std::get_if<Refusal>(&decision);
  EffectiveSandbox report = refusal ? refusal->promise : std::get<Plan>(decision).promise;
  leave_out_untried_network(report);
  auto line = to_json(report);
  line.erase("requested");
  line.erase("platform");
  line["enabled"] = resolved.policy.enabled;
  line["capabilities"] = to_json(facts);
  return line;
}

std::optional<LogText> downgrade_warning(const EffectiveSandbox& report) {
  if (report.downgrades.empty()) return std::nullopt;
  LogText log;
  for (const auto& downgrade : report.downgrades) {
    add_field(log, name_of(downgrade.layer), downgrade.reason);
  }
  log.text = "script sandbox degraded: " + layer_list(log.fields) + " not fully enforced on " +
             report.platform;
  return log;
}

std::optional<LogText> run_notes(const EffectiveSandbox& report) {
  if (report.notes.empty()) return std::nullopt;
  LogText log;
  for (const auto& note : report.notes) add_field(log, name_of(note.layer), note.note);
  log.text = "script sandbox notes (" + layer_list(log.fields) + ") on " + report.platform;
  return log;
}

}  // namespace satellite::sandbox
