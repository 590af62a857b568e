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

/// The kernel enforces this limit by counting clock ticks, which on a busy virtual machine run well
/// ahead of the precise times it reports; whoever used half of it was most likely ended by it.
bool used_up(const RunResult& result, std::uint64_t cpu_seconds) {
  const auto used = result.usage.cpu_user + result.usage.cpu_system;
  return used >= std::chrono::milliseconds(500) * cpu_seconds;
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
  if (cpu && out_of_time && used_up(result, *cpu)) {
    return sentence("CPU time limit", *cpu, "seconds");
  }
  const auto file_size = limit_of(plan, Resource::file_size);
  if (file_size && result.signal == SIGXFSZ) {
    return sentence("file size limit", *file_size, "bytes");
  }
  return std::nullopt;
}

}  // namespace satellite::sandbox
