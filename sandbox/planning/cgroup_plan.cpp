#include "sandbox/planning/cgroup_plan.hpp"

#include <limits>

namespace satellite::sandbox {
namespace {

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();
// Quotas are counted in periods of the kernel's own default; one percent is its smallest quota.
constexpr std::uint64_t cpu_period_microseconds = 100'000;

void join(std::string& text, std::string_view part) {
  if (!text.empty()) text += ", ";
  text += part;
}

std::string value_text(const std::optional<std::uint64_t>& value) {
  if (!value) return "not there";
  return *value == unlimited ? "max" : std::to_string(*value);
}

/// The kernel rounds limits down to whole pages, so less than asked is as good.
void check(std::vector<std::string>& missing, const char* file,
           const std::optional<std::uint64_t>& wanted, const std::optional<std::uint64_t>& seen) {
  if (!wanted || (seen && *seen <= *wanted)) return;
  missing.push_back("resources: " + std::string(file) + " is " + value_text(seen));
}

}  // namespace

CgroupLimits cgroup_limits(const ResourceLimits& limits, const HostFacts& facts,
                           std::optional<std::uint64_t> cpu_percent) {
  CgroupLimits wanted;
  if (facts.cgroup_memory) wanted.memory_bytes = limits.memory_bytes;
  if (facts.cgroup_pids && limits.max_processes) {
    wanted.processes = *limits.max_processes + cgroup_own_processes;
  }
  if (facts.cgroup_cpu) wanted.cpu_percent = cpu_percent;
  return wanted;
}

std::vector<CgroupWrite> cgroup_writes(const CgroupLimits& limits) {
  std::vector<CgroupWrite> writes;
  if (limits.memory_bytes) {
    writes.push_back({"memory.max", std::to_string(*limits.memory_bytes)});
    // Without it a run at its limit goes on in the host's swap; absent where swap is not counted.
    writes.push_back({"memory.swap.max", "0", true});
    // The whole group or nothing: a script that lost one of its processes has no valid result.
    writes.push_back({"memory.oom.group", "1"});
  }
  if (limits.processes) writes.push_back({"pids.max", std::to_string(*limits.processes)});
  if (limits.cpu_percent) {
    writes.push_back(
        {"cpu.max", std::to_string(*limits.cpu_percent * cpu_period_microseconds / 100) + " " +
                        std::to_string(cpu_period_microseconds)});
  }
  return writes;
}

std::vector<std::string> missing_of(const CgroupLimits& limits, const MeasuredCgroup& measured) {
  std::vector<std::string> missing;
  if (!limits.any()) return missing;
  if (!measured.member) missing.emplace_back("resources: the script is not in its control group");
  check(missing, "memory.max", limits.memory_bytes, measured.memory_max);
  if (limits.memory_bytes && measured.swap_max.value_or(0) != 0) {
    missing.push_back("resources: memory.swap.max is " + value_text(measured.swap_max));
  }
  if (limits.memory_bytes && !measured.oom_group) {
    missing.emplace_back("resources: memory.oom.group is 0");
  }
  check(missing, "pids.max", limits.processes, measured.pids_max);
  check(missing, "cpu.max percent", limits.cpu_percent, measured.cpu_percent);
  return missing;
}

std::string evidence_of(const MeasuredCgroup& measured) {
  if (!measured.member) return {};
  std::string text;
  const auto add = [&text](const char* file, const std::optional<std::uint64_t>& value) {
    if (value) join(text, std::string(file) + " " + value_text(value));
  };
  add("memory.max", measured.memory_max);
  add("memory.swap.max", measured.swap_max);
  add("pids.max", measured.pids_max);
  add("cpu.max percent", measured.cpu_percent);
  return text + " read back from its own control group";
}

std::string controllers_of(const CgroupLimits& limits) {
  std::string text;
  if (limits.memory_bytes) join(text, "memory");
  if (limits.processes) join(text, "pids");
  if (limits.cpu_percent) join(text, "cpu");
  return text;
}

}  // namespace satellite::sandbox
