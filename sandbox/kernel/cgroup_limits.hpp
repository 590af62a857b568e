#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace satellite::sandbox {

/// The limits of the control group of one run; none set = no group is made.
///
/// Units:  bytes; processes and threads of the whole run, its init and wrapper included; percent of
///         one processor (150 = one and a half).
/// Source: Documentation/admin-guide/cgroup-v2.rst: memory.max, pids.max, cpu.max.
struct CgroupLimits {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> processes;
  std::optional<std::uint64_t> cpu_percent;
  bool any() const { return memory_bytes || processes || cpu_percent; }
  bool operator==(const CgroupLimits&) const = default;
};

/// One limit as a file of the group and what goes into it.
struct CgroupWrite {
  const char* file;
  std::string text;
  /// A file that some kernels do not have, and whose absence is checked elsewhere.
  bool may_be_absent = false;
};

/// What was read back of the group of a stopped script. All ones = `max`; absent = no such file.
struct MeasuredCgroup {
  bool member = false;  ///< /proc/PID/cgroup of the script names exactly the run's own group
  bool oom_group = false;
  std::optional<std::uint64_t> memory_max, swap_max, pids_max, cpu_percent;
  bool operator==(const MeasuredCgroup&) const = default;
};

/// Which controllers a group of ours really offers.
struct CgroupControllers {
  bool memory = false, pids = false, cpu = false;
};

}  // namespace satellite::sandbox
