#pragma once

#include "sandbox/launcher/wire/launch_order.hpp"
#include "sandbox/report/report.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace satellite::sandbox {

struct MeasuredLimit {
  std::uint64_t soft = 0, hard = 0;  ///< all ones = unlimited
  bool operator==(const MeasuredLimit&) const = default;
};

/// What the launcher read about the stopped script, from outside, right before its exec.
///
/// Shape:  facts only, from /proc of the host; no judgement. The default is a script without any
///         confinement, so a fact that was not read never speaks for it.
/// Source: launcher/verify; proc(5).
struct Posture {
  std::array<std::uint32_t, 4> uid{}, gid{};  ///< real, effective, saved, filesystem: host ids
  std::uint32_t supplementary_groups = 0;
  /// inheritable, permitted, effective, bounding, ambient
  std::array<std::uint64_t, 5> capabilities{~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL};
  bool no_new_privileges = false;
  std::uint32_t seccomp_mode = 0, seccomp_filters = 0;
  std::uint32_t init_seccomp_mode = 0;  ///< of the native run's init; 0 = not filtered, or not read
  std::array<std::uint32_t, 4> init_uid{};  ///< of that init, as `uid`

  /// Version of Landlock in force, 0 = none. No file of /proc tells; it is what the stopped process
  /// itself, still our code, said after it had tried a forbidden file.
  std::uint32_t landlock_abi = 0;

  /// No signal of it reaches its init. Told like the version.
  bool keeps_signals = false;
  bool shows_processes = false;  ///< its /proc is the launcher's, read-only

  // The namespace differs from the launcher's.
  bool own_user = false, own_mount = false, own_pid = false, own_ipc = false, own_uts = false,
       own_network = false, own_cgroup = false;
  bool network_read = false;
  /// The script's own user namespace is the one that owns its network: capabilities gained in the
  /// first would be good for the filter of the second.
  bool owns_network = false;
  std::vector<std::string> interfaces;

  /// Rules of the packet filter, read back in this very namespace; 0 = none was proven.
  std::uint32_t filter_rules = 0;
  std::vector<std::string> routes;  ///< IPv4, only where there is a filter

  bool own_root = false;  ///< `/` of the script is not `/` of the host
  bool mounts_read = false;
  bool private_tmp = false;
  bool root_sealed = false;  ///< `/` itself: read-only, nosuid
  std::uint32_t mounts = 0;
  std::vector<std::string> unexpected_writable_mounts;
  std::vector<MemorySize> memory_sizes;  ///< of the memory file systems that take writes

  /// A bit for each of Expectation::disks that is there, read-only, of its type and device.
  std::uint64_t shown_disks = 0;

  std::uint32_t open_descriptors = 0, expected_descriptors = 0;
  std::array<MeasuredLimit, 4> limits{};  ///< by Resource
  MeasuredCgroup cgroup;
  bool operator==(const Posture&) const = default;
};

}  // namespace satellite::sandbox
