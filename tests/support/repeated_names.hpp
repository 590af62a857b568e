#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::tests {

/// Whether an object in this JSON text has two members of one name, by another way than the
/// product's.
inline bool has_repeated_name(std::string_view text) {
  std::vector<std::set<std::string>> open;
  bool repeated = false;
  const auto look = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start) open.emplace_back();
    if (event == Event::key) {
      repeated = repeated || !open.back().insert(value.get<std::string>()).second;
    }
    if (event == Event::object_end) open.pop_back();
    return true;
  };
  [[maybe_unused]] const auto value = nlohmann::json::parse(text, look, false);
  return repeated;
}

}  // namespace satellite::tests
