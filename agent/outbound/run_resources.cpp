#include "agent/outbound/run_resources.hpp"

#include <cerrno>
#include <string>
#include <string_view>

namespace satellite::agent {
namespace {

constexpr std::string_view resources_subject = "runs";

std::string_view name_of_lack(int error_number) {
  switch (error_number) {
    case EMFILE:
    case ENFILE:
      return "no_descriptors";
    case ENOMEM:
      return "no_memory";
    case EAGAIN:  // what clone(2) says of RLIMIT_NPROC and pids.max
      return "no_processes";
    default:
      return "";
  }
}

/// Refused and cancelled runs say nothing about what there is.
bool was_started(sandbox::Outcome outcome) {
  return outcome != sandbox::Outcome::setup_failed && outcome != sandbox::Outcome::refused &&
         outcome != sandbox::Outcome::cancelled;
}

}  // namespace

void RunResources::note(const sandbox::RunResult& result) {
  const DegradedState* const before = degraded_.find(resources_subject);
  if (was_started(result.outcome)) {
    if (before == nullptr) return;
    log_.info("run_resources_back", "runs are started again", {{"state", before->name}});
    return degraded_.leave(resources_subject);
  }
  const std::string_view name = name_of_lack(result.error_number);
  if (result.outcome != sandbox::Outcome::setup_failed || name.empty()) return;
  const std::string why = result.error.value_or("");
  if (before == nullptr || before->name != name) {
    log_.warn("run_resources_lacking", why + "; runs fail until there is more", {{"state", name}});
  }
  degraded_.enter(resources_subject, std::string(name), why);
}

}  // namespace satellite::agent
