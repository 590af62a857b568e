#include "sandbox/planning/describe_plan.hpp"

#include "sandbox/planning/cgroup_plan.hpp"
#include "sandbox/planning/native_plan.hpp"
#include "sandbox/planning/resource_plan.hpp"
#include "sandbox/planning/shell_quote.hpp"
#include "sandbox/policy/quoted.hpp"

namespace satellite::sandbox {
namespace {

std::string argv_text(const std::vector<std::string>& argv) {
  constexpr std::size_t argument_shown_max = 200;
  std::string text;
  for (const auto& argument : argv) {
    if (!text.empty()) text += ' ';
    const bool plain = !argument.empty() && argument.find_first_not_of(
                                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
                                                "WXYZ0123456789_-./=:@%+,") == std::string::npos;
    if (plain) {
      text += argument;
    } else if (argument.size() <= argument_shown_max) {
      text += shell_quote(argument);
    } else {
      text += "'…" + std::to_string(argument.size()) + " bytes'";
    }
  }
  return text;
}

std::string environment_text(const Plan& plan) {
  std::string text;
  for (const auto& [name, value] : plan.environment) text += " " + name;
  return text;
}

void add_report(std::string& text, const EffectiveSandbox& promise) {
  for (const auto& layer : promise.layers) {
    text += "layer ";
    text += name_of(layer.layer);
    text += ": ";
    text += name_of(layer.state);
    if (!layer.mechanism.empty()) text += " by " + layer.mechanism;
    text += "\n";
  }
  for (const auto& downgrade : promise.downgrades) {
    text += "downgrade " + std::string(name_of(downgrade.layer)) + ": " + downgrade.reason + "\n";
  }
  for (const auto& note : promise.notes) {
    text += "note " + std::string(name_of(note.layer)) + ": " + note.note + "\n";
  }
}

std::string described(const Plan& plan) {
  std::string text = "engine: " + std::string(name_of(plan.engine)) + "\n";
  if (!plan.scratch_directory.empty()) text += "scratch: " + plan.scratch_directory + "\n";
  if (plan.identity) {
    text += "identity: " + std::to_string(plan.identity->uid) + ":" +
            std::to_string(plan.identity->gid) + "\n";
  }
  text += "egress: " + std::string(name_of(plan.egress)) + "\n";
  if (!plan.wrapper.empty()) text += "wrapper: " + argv_text(plan.wrapper) + "\n";
  if (plan.native) {
    for (const auto& step : plan.native->steps) text += "file view: " + describe_step(step) + "\n";
  }
  for (const auto& setting : plan.resource_settings) {
    text += "limit: " + std::string(name_of(setting.resource)) + " " +
            std::to_string(setting.value) + "\n";
  }
  for (const auto& write : cgroup_writes(plan.cgroup)) {
    text += std::string("group limit: ") + write.file + " " + write.text + "\n";
  }
  if (plan.output_size_max) {
    text += "output cap: " + std::to_string(plan.output_size_max->value) + "\n";
  }
  if (plan.working_directory) text += "directory: " + *plan.working_directory + "\n";
  text += "environment:" + environment_text(plan) + "\n";
  for (const auto& name : plan.dropped_environment) {
    text += "environment dropped: " + quoted_text(name) + "\n";
  }
  return text + "command: " + argv_text(plan.command) + "\n";
}

}  // namespace

std::string describe_plan(const Decision& decision) {
  if (const auto* refusal = std::get_if<Refusal>(&decision)) {
    std::string text = refusal_text(refusal->promise.downgrades) + "\n";
    add_report(text, refusal->promise);
    return text;
  }
  const auto& plan = std::get<Plan>(decision);
  std::string text = described(plan);
  add_report(text, plan.promise);
  return text;
}

}  // namespace satellite::sandbox
