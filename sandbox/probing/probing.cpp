#include "sandbox/probing/probing.hpp"

#include <unistd.h>
#include <cstdlib>

namespace satellite::sandbox {
namespace {

constexpr std::string_view search_path_default = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
// Any number below the usual limit will do: it shows up in /proc/PID/limits or it does not.
constexpr std::uint64_t trial_open_files = 64;

}  // namespace

void Probing::add(std::string name, bool present, std::string detail, std::string_view remedy) {
  facts.findings.push_back(
      {std::move(name), present, std::move(detail), present ? std::string() : std::string(remedy)});
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

int error_number_of(const std::optional<LauncherRecord>& end) {
  if (!end) return 0;
  const auto* failure = std::get_if<RunSetupFailed>(&end->event);
  return failure == nullptr ? 0 : failure->error_number;
}

LaunchOrder bare_trial(const Probing& probing) {
  LaunchOrder order;
  order.run_number = probing.launcher.next_run_number();
  order.command = {"true"};
  order.identity = probing.identity;
  order.resource_settings = {{Resource::open_files, trial_open_files}};
  order.expectation.identity = probing.identity;
  order.expectation.not_host_root = probing.identity.has_value();
  order.expectation.resource_settings = order.resource_settings;
  return order;
}

}  // namespace satellite::sandbox
