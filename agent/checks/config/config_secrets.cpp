#include "agent/checks/config/config_secrets.hpp"

#include "agent/checks/config/secret_reference.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <variant>

namespace satellite::agent {
namespace {

using Json = nlohmann::ordered_json;

/// No place that an editor of configurations can show is deeper.
constexpr std::size_t path_size_max = 4U << 10U;

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

/// A member's name, or the index of an array in brackets.
using PathStep = std::variant<std::string_view, std::size_t>;

std::optional<std::size_t> index_in(std::string_view digits) {
  std::size_t index = 0;
  const char* const end = digits.data() + digits.size();
  const auto [rest, problem] = std::from_chars(digits.data(), end, index);
  if (digits.empty() || problem != std::errc{} || rest != end) return std::nullopt;
  return index;
}

/// `b.d[0].e` in steps. Dots and brackets only separate: an empty segment is none, and what is no
/// number in its brackets is a name.
std::vector<PathStep> steps_of(std::string_view path) {
  constexpr std::string_view separators = ".[]";
  std::vector<PathStep> steps;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find_first_of(separators), path.size());
    if (end > 0) {
      steps.emplace_back(path.substr(0, end));
      path.remove_prefix(end);
      continue;
    }
    // Only behind digits a bracket is looked for: the path is the core's.
    const std::size_t close = std::min(path.find_first_not_of("0123456789", 1), path.size());
    const bool bracketed = path.front() == '[' && close < path.size() && path[close] == ']';
    const auto index = bracketed ? index_in(path.substr(1, close - 1)) : std::nullopt;
    if (index) steps.emplace_back(*index);
    path.remove_prefix(index ? close + 1 : 1);
  }
  return steps;
}

Json* place_at(Json& config, std::string_view path) {
  if (path.size() > path_size_max) return nullptr;
  const auto steps = steps_of(path);
  if (steps.empty()) return nullptr;
  Json* place = &config;
  for (const PathStep& step : steps) {
    if (const auto* index = std::get_if<std::size_t>(&step)) {
      if (!place->is_array() || *index >= place->size()) return nullptr;
      place = &(*place)[*index];
      continue;
    }
    if (!place->is_object()) return nullptr;
    const auto member = place->find(std::string(std::get<std::string_view>(step)));
    if (member == place->end()) return nullptr;
    place = &*member;
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
    if (place->is_string()) {
      for (Secret& inside : secrets_inside(place->get_ref<const std::string&>(), value.reveal())) {
        resolved.values.push_back(std::move(inside));
      }
    }
    wipe_texts(*place);
    *place = std::string(value.reveal());
    resolved.values.push_back(value.duplicate());
  }
  resolved.json = Secret(config.dump(-1, ' ', false, Json::error_handler_t::replace));
  wipe_texts(config);
  return resolved;
}

}  // namespace satellite::agent
