#include "agent/checks/config_secrets.hpp"

#include "agent/checks/secret_reference.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace satellite::agent {
namespace {

using Json = nlohmann::ordered_json;

bool text_is_unresolved(const std::string& text, bool only_marker) {
  return is_config_secret_marker(text) || (!only_marker && holds_secret_reference(text));
}

bool value_is_unresolved(const Json& value) {
  if (value.is_string()) {
    return text_is_unresolved(value.get_ref<const std::string&>(), false);
  }
  if (!value.is_structured()) return false;
  for (const auto& [key, member] : value.items()) {
    if (value.is_object() && key == "secretEnv") continue;
    if (value_is_unresolved(member)) return true;
  }
  return false;
}

/// The member's name before the first `[`, then the indexes.
struct PathStep {
  std::string_view name;
  std::vector<std::size_t> indexes;
};

std::optional<PathStep> step_of(std::string_view text) {
  PathStep step;
  const std::size_t bracket = text.find('[');
  step.name = text.substr(0, bracket);
  if (step.name.empty()) return std::nullopt;
  text.remove_prefix(bracket == std::string_view::npos ? text.size() : bracket);
  while (!text.empty()) {
    const std::size_t close = text.find(']');
    if (text.front() != '[' || close == std::string_view::npos) return std::nullopt;
    std::size_t index = 0;
    const char* const end = text.data() + close;
    const auto [rest, problem] = std::from_chars(text.data() + 1, end, index);
    if (problem != std::errc{} || rest != end) return std::nullopt;
    step.indexes.push_back(index);
    text.remove_prefix(close + 1);
  }
  return step;
}

Json* place_within(Json& value, const PathStep& step) {
  if (!value.is_object()) return nullptr;
  const auto member = value.find(std::string(step.name));
  if (member == value.end()) return nullptr;
  Json* place = &*member;
  for (const std::size_t index : step.indexes) {
    if (!place->is_array() || index >= place->size()) return nullptr;
    place = &(*place)[index];
  }
  return place;
}

Json* place_at(Json& config, std::string_view path) {
  Json* place = &config;
  while (place != nullptr) {
    const std::size_t dot = path.find('.');
    const auto step = step_of(path.substr(0, dot));
    if (!step) return nullptr;
    place = place_within(*place, *step);
    if (dot == std::string_view::npos) break;
    path.remove_prefix(dot + 1);
  }
  return place;
}

/// What a parser keeps in its strings is not wiped by itself.
void wipe_texts(Json& value) {
  if (value.is_string()) return wipe(value.get_ref<std::string&>());
  if (!value.is_structured()) return;
  for (auto& member : value) wipe_texts(member);
}

}  // namespace

bool has_unresolved_secrets(std::string_view config_json, SecretScan scan) {
  Json config = Json::parse(config_json, nullptr, false);
  bool found = false;
  if (scan == SecretScan::all_but_script_text && config.is_object() && config.contains("script") &&
      config["script"].is_string()) {
    found = text_is_unresolved(config["script"].get_ref<const std::string&>(), true);
    wipe(config["script"].get_ref<std::string&>());
  }
  found = found || value_is_unresolved(config);
  wipe_texts(config);
  return found;
}

ResolvedConfig apply_config_secrets(std::string_view config_json,
                                    const std::map<std::string, Secret>& values) {
  ResolvedConfig resolved;
  Json config = Json::parse(config_json, nullptr, false);
  for (const auto& [path, value] : values) {
    Json* const place = place_at(config, path);
    if (place == nullptr) continue;
    wipe_texts(*place);
    *place = std::string(value.reveal());
    resolved.values.push_back(value.duplicate());
  }
  resolved.json = Secret(config.dump(-1, ' ', false, Json::error_handler_t::replace));
  wipe_texts(config);
  return resolved;
}

}  // namespace satellite::agent
