#include "sandbox/module/module_environment.hpp"

#include <algorithm>
#include <array>

namespace satellite::sandbox {
namespace {

constexpr std::array<std::string_view, 10> names_read_at_start{
    "LANG",     "LANGUAGE",  "ICU_DATA", "NO_COLOR", "FORCE_COLOR",
    "CLICOLOR", "COLORTERM", "TERM",     "TMPDIR",   "HOME"};
constexpr std::array<std::string_view, 7> beginnings{"NODE_", "BUN_",     "UV_", "LC_",
                                                     "SSL_",  "OPENSSL_", "JSC_"};
constexpr std::array<std::string_view, 2> ends{"_PROXY", "_proxy"};

}  // namespace

bool is_read_at_start(std::string_view name) {
  return std::find(names_read_at_start.begin(), names_read_at_start.end(), name) !=
             names_read_at_start.end() ||
         std::any_of(beginnings.begin(), beginnings.end(),
                     [name](std::string_view part) { return name.starts_with(part); }) ||
         std::any_of(ends.begin(), ends.end(),
                     [name](std::string_view part) { return name.ends_with(part); });
}

ModuleVariables module_variables(const NamedValues& all) {
  ModuleVariables variables;
  for (const auto& [name, value] : all) {
    (is_read_at_start(name) ? variables.at_start : variables.late).emplace_back(name, value);
  }
  return variables;
}

}  // namespace satellite::sandbox
