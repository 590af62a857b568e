#pragma once

#include "sandbox/launcher/bare/file_step_kind.hpp"
#include "sandbox/launcher/bare/init_block.hpp"
#include "sandbox/launcher/bare/setup_attempt.hpp"

namespace satellite::sandbox::bare {

/// One FileStep without library types. The texts are C strings by their addresses, and in a block
/// by their offsets; 0 = none.
struct PreparedStep {
  FileStepKind kind = FileStepKind::directory;
  std::uint32_t mode = 0;
  std::uint64_t target = 0;
  std::uint64_t source = 0;  ///< memory: mount options
  std::uint64_t number = 0;  ///< of a device
  std::uint32_t optional = 0, writable = 0;
  std::int32_t tree_fd = -1;  ///< bind: the source as a mount that is detached and has its flags
  std::uint32_t is_done = 0;  ///< by somebody before; it keeps its number
};

/// What the first process of a native run does before it is the init of the run.
struct NativeSetup {
  const PreparedStep* steps = nullptr;
  int step_count = 0;
  int root_step_count = 0;   ///< of these, from the first on; they make what runs may share
  bool in_template = false;  ///< and somebody did them: the process starts in a copy
  bool confined = false;     ///< a root of its own
  bool own_user = false;     ///< a user namespace was made with the child
  bool raises_loopback = false;
  bool change_identity = false;
  bool makes_carriers = true;     ///< may make directories on disks of the host (carrier.hpp)
  const char* uid_map = nullptr;  ///< own_user: of the run's namespaces
  const char* gid_map = nullptr;
  /// An empty directory of the host that becomes the root; null = one in memory.
  const char* disk_root = nullptr;
  bool shows_processes = false;  ///< the host's /proc, and no pid namespace of its own
  int host_proc_fd = -1;         ///< that, as a mount that is detached
};

/// From the first instruction of init in its namespaces to an init without any privilege, on the
/// descriptors of init_block.hpp. Returns when everything succeeded. `block` has a native part,
/// whose offsets become addresses where they stand.
///
/// Source: sandbox/launcher/README.md "The native engine" for the order and its reasons.
void set_up_native(InitBlock& block);

/// Of this process's network namespace.
void raise_loopback(const Attempt& attempt);

}  // namespace satellite::sandbox::bare
