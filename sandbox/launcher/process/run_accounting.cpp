#include "sandbox/launcher/process/run_accounting.hpp"

namespace satellite::sandbox {

void add_usage(const kernel::CgroupLeaf& leaf, const CgroupLimits& limits, LauncherRecord& record) {
  const kernel::CgroupUsage usage = leaf.usage();
  const std::uint64_t memory = usage.memory_limit_hit ? limits.memory_bytes.value_or(0) : 0;
  if (auto* failure = std::get_if<RunSetupFailed>(&record.event);
      failure != nullptr && memory > 0) {
    failure->text = "the memory limit of " + std::to_string(memory) +
                    " bytes is too small to set the run up; raise resources.memoryBytes";
  }
  auto* const end = std::get_if<RunEnded>(&record.event);
  if (end == nullptr) return;
  end->memory_limit_hit = memory;
  if (usage.refused_forks > 0) end->process_limit_hit = limits.processes.value_or(0);
  if (end->status_known) return;
  end->user_microseconds = usage.user_microseconds;
  end->system_microseconds = usage.system_microseconds;
  end->resident_max_kibibytes = usage.memory_peak >> 10U;
}

}  // namespace satellite::sandbox
