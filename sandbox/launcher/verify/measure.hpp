#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/kernel/cgroup_leaf.hpp"
#include "sandbox/launcher/wire/posture.hpp"

#include <sys/types.h>
#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

namespace satellite::sandbox {

/// Identity of a namespace or a directory: device and inode.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

/// user, mnt, pid, ipc, uts, net, cgroup
using NamespaceIdentities = std::array<FileIdentity, 7>;

/// What the launcher itself lives in; the measure against which a run is separate.
struct OwnSurroundings {
  NamespaceIdentities namespaces{};
  FileIdentity root;
  /// Devices of what is mounted here. A run's own /tmp, /proc and terminals are instances of their
  /// own; the same kind of file system may just as well be the host's, shining through.
  std::set<std::string> mounted_devices;
  std::string processes_device;  ///< of /proc
};
Result<OwnSurroundings> read_own_surroundings();

/// What the network's builder proved about it before anything entered.
struct NetworkFacts {
  FileIdentity network_namespace;
  std::uint32_t filter_rules = 0;  ///< loaded, read back and compared
};

struct MeasureRequest {
  pid_t pid = 0;   ///< in our pid namespace; blocked at the barrier, so it cannot go away
  pid_t init = 0;  ///< of a native run: our own child, so its number is nobody else's; 0 = none
  std::string scratch_directory;
  std::uint32_t expected_descriptors = 0;
  std::optional<NetworkFacts> network;       ///< of a run that was put into a network made for it
  const kernel::CgroupLeaf* leaf = nullptr;  ///< the run's control group, if it has one
  /// Beside a wrapper init is no child of ours. It is the parent of the script, which would be
  /// killed if it died.
  bool init_is_parent = false;
  /// Devices of mounts that the run shares with others because its root was copied from theirs.
  const std::set<std::string>* shared_devices = nullptr;
  const std::vector<ShownDisk>* disks = nullptr;  ///< of the host, which may be there
};

/// Reads the posture of the stopped script from outside, through one pinned directory of /proc.
///
/// Errors: the first fact that could not be read; the caller must refuse the run.
Result<Posture> measure(const MeasureRequest& request, const OwnSurroundings& own);

/// The same for a run that was measured `before` and has got its task since. Only our own code ran
/// in between, behind every layer: what it took away from itself, what is open and the limits of
/// its control group are read again.
Result<Posture> measure_again(const MeasureRequest& request, Posture before);

}  // namespace satellite::sandbox
