#include "agent/commands/doctor_answer.hpp"

#include "agent/commands/terminal.hpp"
#include "protocol/vocabulary/printable.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace satellite::agent {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t remedy_size_max = 1'024;

const char* name_of(WayStep::State state) {
  return state == WayStep::State::done     ? "done"
         : state == WayStep::State::failed ? "failed"
                                           : "not tried";
}

ordered_json way_json(const CoreTrial& trial) {
  auto steps = ordered_json::array();
  for (const WayStep& step : trial.steps) {
    steps.push_back({{"name", step.name},
                     {"state", name_of(step.state)},
                     {"detail", step.detail},
                     {"remedy", step.remedy}});
  }
  return {{"core", trial.core.url()}, {"way", trial.way}, {"steps", std::move(steps)}};
}

ordered_json mends_json(const std::vector<Mend>& mends) {
  auto all = ordered_json::array();
  for (const Mend& mend : mends) {
    all.push_back({{"finding", mend.finding},
                   {"needed", mend.is_needed},
                   {"commands", mend.commands},
                   {"remedy", mend.remedy}});
  }
  return all;
}

std::string mark_of(const SeenCapability& one) {
  if (one.finding.present) return coloured(Colour::good, "ok       ");
  return one.is_needed ? coloured(Colour::bad, "missing  ") : coloured(Colour::quiet, "optional ");
}

/// A line of its own in a text that a shell may read: what came from outside cannot leave it.
std::string comment(const std::string& text) {
  return "# " + printable(text, remedy_size_max) + '\n';
}

void print_mends(std::ostream& out, const std::vector<Mend>& mends) {
  if (mends.empty()) {
    out << "\nThere is nothing to mend.\n";
    return;
  }
  out << "\n# What would mend it, as root. Nothing of this was run.\n";
  for (const Mend& mend : mends) {
    out << comment(mend.finding + (mend.is_needed ? "" : " (optional)") +
                   (mend.commands.empty() ? ", by hand: " : ": ") + mend.remedy);
    for (const std::string& command : mend.commands) out << command << '\n';
  }
}

}  // namespace

std::string examination_json(const Examination& seen, const AskedMends& mends) {
  ordered_json answer;
  answer["ready"] = seen.is_enforceable;
  answer["well"] = seen.is_well();
  answer["verdict"] = verdict_of(seen);
  answer["lookedAs"] = seen.eyes.words;
  answer["capabilities"] = ordered_json::array();
  for (const SeenCapability& one : seen.capabilities) {
    answer["capabilities"].push_back({{"name", one.finding.name},
                                      {"present", one.finding.present},
                                      {"needed", one.is_needed},
                                      {"seenBy", one.is_seen_by_service ? "service" : "command"},
                                      {"detail", one.finding.detail},
                                      {"remedy", one.finding.remedy}});
  }
  answer["ways"] = ordered_json::array();
  for (const CoreTrial& way : seen.ways) answer["ways"].push_back(way_json(way));
  if (mends) answer["mends"] = mends_json(*mends);
  answer["facts"] = sandbox::to_json(seen.facts);
  return answer.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

void print_examination(std::ostream& out, const Examination& seen, const AskedMends& mends) {
  out << seen.eyes.words << "\n\n";
  std::size_t width = 0;
  for (const auto& one : seen.capabilities) width = std::max(width, one.finding.name.size());
  for (const auto& one : seen.capabilities) {
    const auto& finding = one.finding;
    out << mark_of(one) << finding.name << std::string(width + 2 - finding.name.size(), ' ')
        << finding.detail << (one.is_seen_by_service ? " (seen by the service)" : "") << '\n';
    if (!finding.remedy.empty()) out << "         remedy: " << finding.remedy << '\n';
  }
  for (const CoreTrial& way : seen.ways) print_trial(out, way);
  if (!seen.guidance.empty()) out << '\n' << seen.guidance << '\n';
  if (mends) print_mends(out, *mends);
  out << '\n' << verdict_of(seen) << '\n';
}

}  // namespace satellite::agent
