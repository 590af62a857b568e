#pragma once

#include "protocol/vocabulary/result.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox::kernel {

/// The next line of `text`, which is shortened by it and its line break. Pure.
std::string_view next_line(std::string_view& text);

/// The text of a small file of /proc, at most `size_max` bytes.
///
/// Errors: error_from_errno of the call; limit_exceeded when the file is longer.
Result<std::string> read_small_file(int directory_fd, const std::string& path,
                                    std::size_t size_max = 1U << 20U);

/// What /proc/PID/status says about ids and privileges, as seen from our user namespace.
struct ProcessStatus {
  std::array<std::uint32_t, 4> uid{}, gid{};  ///< real, effective, saved, filesystem
  std::vector<std::uint32_t> groups;
  /// inheritable, permitted, effective, bounding, ambient
  std::array<std::uint64_t, 5> capabilities{};
  bool no_new_privileges = false;
  std::uint32_t seccomp_mode = 0, seccomp_filters = 0;
  std::int32_t parent = 0;  ///< as numbered in the pid namespace of the reader; 0 = outside of it
};

/// Pure. Errors: invalid_input when one of the expected lines is missing or broken, so that a fact
/// that was not read never counts as a fact.
Result<ProcessStatus> parse_status(std::string_view text);

/// Whether the process of this /proc/PID/stat has begun to die: it lets go of its files one after
/// the other, and can be waited for only after the last. Pure. Errors: invalid_input.
/// Source: proc(5), field 9; PF_EXITING of the kernel's linux/sched.h.
Result<bool> parse_is_exiting(std::string_view stat);

/// One line of mountinfo, proc(5).
struct MountEntry {
  std::uint64_t id = 0, parent = 0;
  std::string device;  ///< `major:minor`, unique to one instance of a file system
  std::string root, target, type;
  std::string options;  ///< of the file system itself
  bool read_only = false, no_suid = false, no_device = false;
};
Result<std::vector<MountEntry>> parse_mountinfo(std::string_view text);

/// Whether another of the mounts lies on all of this one, which is not a root: no path leads into
/// it. Pure.
bool is_covered(const MountEntry& mount, const std::vector<MountEntry>& all);

/// Whether each mount in this text of mountinfo gets told what others mount and unmount (shared, or
/// slave of a shared one), so that a slave copy of it never lags behind. Pure; false for no mount.
bool every_mount_propagates(std::string_view mountinfo);

/// Names of the interfaces in /proc/PID/net/dev.
Result<std::vector<std::string>> parse_interfaces(std::string_view text);

/// Soft and hard limit by the names of /proc/PID/limits, e.g. `Max open files`.
struct LimitPair {
  std::uint64_t soft = 0, hard = 0;  ///< all ones = unlimited
};
Result<LimitPair> find_limit(std::string_view text, std::string_view name);

}  // namespace satellite::sandbox::kernel
