#include "sandbox/probing/probing.hpp"

#include <unistd.h>
#include <algorithm>
#include <cstdlib>

namespace satellite::sandbox {
namespace {

constexpr std::string_view search_path_default = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
constexpr Identity overflow_identity{65'534, 65'534};

}  // namespace

void set_finding(HostFacts& facts, std::string name, bool present, std::string detail,
                 std::string_view remedy) {
  const auto known = std::find_if(facts.findings.begin(), facts.findings.end(),
                                  [&](const CapabilityFinding& one) { return one.name == name; });
  CapabilityFinding finding{std::move(name), present, std::move(detail),
                            present ? std::string() : std::string(remedy)};
  if (known != facts.findings.end()) {
    *known = std::move(finding);
  } else {
    facts.findings.push_back(std::move(finding));
  }
}

std::optional<Identity> identity_of_trials(const Launcher& launcher,
                                           const ProbeSettings& settings) {
  if (!launcher.is_root()) return std::nullopt;
  return settings.default_identity.value_or(overflow_identity);
}

std::string find_program(std::string_view name) {
  const char* own_path = std::getenv("PATH");
  std::string_view rest = own_path != nullptr ? own_path : search_path_default;
  while (!rest.empty()) {
    const auto directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), directory.size() + 1));
    if (!directory.starts_with('/')) continue;
    std::string path = std::string(directory) + "/" + std::string(name);
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

}  // namespace satellite::sandbox
