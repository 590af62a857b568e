#include "sandbox/running/limit_reached.hpp"

#include "protocol/vocabulary/limits.hpp"

#include <csignal>

namespace satellite::sandbox {
namespace {

std::optional<std::uint64_t> limit_of(const Plan& plan, Resource resource) {
  for (const auto& setting : plan.resource_settings) {
    if (setting.resource == resource) return setting.value;
  }
  return std::nullopt;
}

std::string sentence(std::string_view what, std::uint64_t value, std::string_view unit) {
  return "the " + std::string(what) + " of " + std::to_string(value) + " " + std::string(unit) +
         " was reached";
}

/// The kernel counts this limit in clock ticks, which on a busy virtual machine run well ahead of
/// the precise times it reports. Short of the limit by those, both numbers are told and nothing is
/// claimed: a script may be killed by others, too.
std::optional<std::string> cpu_time_reached(const RunResult& result, std::uint64_t cpu_seconds) {
  const auto used = result.usage.cpu_user + result.usage.cpu_system;
  if (used >= std::chrono::seconds(1) * cpu_seconds) {
    return sentence("CPU time limit", cpu_seconds, "seconds");
  }
  if (used < std::chrono::milliseconds(500) * cpu_seconds) return std::nullopt;
  const auto milliseconds = std::chrono::round<std::chrono::milliseconds>(used).count();
  return "ended after " + std::to_string(milliseconds) +
         " ms of CPU time, most likely by the CPU time limit of " + std::to_string(cpu_seconds) +
         " seconds";
}

}  // namespace

std::optional<std::string> limit_reached(const RunResult& result, const Plan& plan) {
  if (result.outcome == Outcome::output_limit) {
    const ByteCount size = plan.output_size_max.value_or(limits::output_size_max_without_policy);
    return sentence("output limit", size.value, "bytes");
  }
  if (result.outcome != Outcome::signaled) return std::nullopt;
  const auto cpu = limit_of(plan, Resource::cpu_seconds);
  const bool out_of_time = result.signal == SIGXCPU || result.signal == SIGKILL;
  if (cpu && out_of_time) return cpu_time_reached(result, *cpu);
  const auto file_size = limit_of(plan, Resource::file_size);
  if (file_size && result.signal == SIGXFSZ) {
    return sentence("file size limit", *file_size, "bytes");
  }
  return std::nullopt;
}

}  // namespace satellite::sandbox
