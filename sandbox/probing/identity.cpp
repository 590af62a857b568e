#include "sandbox/probing/probing.hpp"

#include <sys/resource.h>
#include <unistd.h>
#include <array>

namespace satellite::sandbox {
namespace {

std::string limit_text(rlim_t value) {
  return value == RLIM_INFINITY ? "unlimited" : std::to_string(value);
}

}  // namespace

/// Who we are and which limits are ours: scripts never get more than that.
void probe_identity(HostFacts& facts) {
  set_finding(facts, "effective_user", true,
              "uid " + std::to_string(::geteuid()) +
                  (facts.euid_is_root ? ", so scripts can be given a user of their own"
                                      : ", scripts run as the same user"),
              {});
  struct Limit {
    const char* name;
    __rlimit_resource_t resource;
  };
  constexpr std::array limits{Limit{"nofile", RLIMIT_NOFILE}, Limit{"nproc", RLIMIT_NPROC},
                              Limit{"fsize", RLIMIT_FSIZE}, Limit{"core", RLIMIT_CORE}};
  std::string text;
  for (const auto& [name, resource] : limits) {
    rlimit value{};
    if (::getrlimit(resource, &value) != 0) continue;
    if (!text.empty()) text += ", ";
    text += std::string(name) + " " + limit_text(value.rlim_max);
  }
  set_finding(facts, "own_limits", true, "hard limits of this process: " + text, {});
}

}  // namespace satellite::sandbox
