#include "agent/config/known_variables.hpp"

#include "agent/config/nearest_word.hpp"
#include "agent/config/setting_table.hpp"
#include "agent/config/token_source.hpp"
#include "protocol/vocabulary/printable.hpp"

#include <algorithm>
#include <string_view>

namespace satellite::agent {
namespace {

constexpr std::size_t unknown_variables_max = 16;

std::vector<std::string_view> variables_of_settings() {
  std::vector<std::string_view> names{token_variable, "CHECKSTACK_SATELLITE_CONFIG"};
  for (const Setting& setting : setting_table()) {
    if (!setting.environment.empty()) names.push_back(setting.environment);
  }
  return names;
}

}  // namespace

std::vector<std::string> unknown_variables(const std::map<std::string, std::string>& environment) {
  const auto known = variables_of_settings();
  std::vector<std::string> unknown;
  for (const auto& [name, value] : environment) {
    const bool is_like_ours = name.starts_with("CHECKSTACK_CORE_") ||
                              name.starts_with("CHECKSTACK_SATELLITE_") ||
                              name.starts_with("CHECKSTACK_SANDBOX_");
    if (!is_like_ours || std::find(known.begin(), known.end(), name) != known.end()) continue;
    if (unknown.size() == unknown_variables_max) break;
    const std::string_view meant = nearest_word(name, known);
    unknown.push_back("the variable " + printable(name) + " is none of this satellite's" +
                      (meant.empty() ? "" : "; did you mean " + std::string(meant) + "?"));
  }
  return unknown;
}

}  // namespace satellite::agent
