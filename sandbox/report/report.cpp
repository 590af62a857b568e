#include "sandbox/report/report.hpp"

#include "sandbox/policy/policy_json.hpp"

#include <nlohmann/json.hpp>

namespace satellite::sandbox {

std::string_view name_of(LayerState state) {
  switch (state) {
    case LayerState::enforced:
      return "enforced";
    case LayerState::degraded:
      return "degraded";
    case LayerState::absent:
      return "absent";
    case LayerState::not_requested:
      return "not_requested";
  }
  return "absent";
}

nlohmann::json to_json(const EnforcedLayers& layers) {
  return {{"resources", layers.resources},
          {"filesystem", layers.filesystem},
          {"network", layers.network},
          {"privilege", layers.privilege}};
}

nlohmann::json to_json(const EffectiveSandbox& report) {
  auto downgrades = nlohmann::json::array();
  for (const auto& downgrade : report.downgrades) {
    downgrades.push_back({{"layer", name_of(downgrade.layer)}, {"reason", downgrade.reason}});
  }
  auto notes = nlohmann::json::array();
  for (const auto& note : report.notes) {
    notes.push_back({{"layer", name_of(note.layer)}, {"note", note.note}});
  }
  auto layers = nlohmann::json::array();
  for (const auto& layer : report.layers) {
    layers.push_back({{"layer", name_of(layer.layer)},
                      {"required", layer.required},
                      {"state", name_of(layer.state)},
                      {"mechanism", layer.mechanism},
                      {"evidence", layer.evidence}});
    if (!layer.lacks.empty()) layers.back()["lacks"] = layer.lacks;
  }
  nlohmann::json object{{"requested", to_json(report.requested)},
                        {"enforced", to_json(report.enforced)},
                        {"downgrades", std::move(downgrades)},
                        {"notes", std::move(notes)},
                        {"platform", report.platform},
                        {"engine", report.engine},
                        {"layers", std::move(layers)}};
  if (!report.runtime.empty()) object["runtime"] = report.runtime;
  if (!report.grants.empty()) object["grants"] = report.grants;
  if (!report.hints.empty()) object["hints"] = report.hints;
  return object;
}

std::string refusal_text(const std::vector<Downgrade>& downgrades) {
  std::string text = "sandbox unavailable: ";
  for (std::size_t i = 0; i < downgrades.size(); ++i) {
    if (i > 0) text += "; ";
    text += name_of(downgrades[i].layer);
    text += ": ";
    text += downgrades[i].reason;
  }
  return text;
}

std::string summary_line(const EffectiveSandbox& report) {
  std::string line = "engine=" + report.engine;
  if (!report.runtime.empty()) line += " runtime=" + report.runtime;
  for (const auto& layer : report.layers) {
    line += ' ';
    line += name_of(layer.layer);
    line += '=';
    line += name_of(layer.state);
    if (!layer.lacks.empty()) line += " (" + layer.lacks + ")";
  }
  return line;
}

}  // namespace satellite::sandbox
