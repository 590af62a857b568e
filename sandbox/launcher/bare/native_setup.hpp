#pragma once

#include "sandbox/launcher/bare/file_step_kind.hpp"
#include "sandbox/launcher/bare/init_block.hpp"

namespace satellite::sandbox::bare {

/// One FileStep without library types; prepared before the fork.
struct PreparedStep {
  FileStepKind kind = FileStepKind::directory;
  const char* target = nullptr;
  const char* source = nullptr;  ///< memory: mount options
  std::uint64_t number = 0;      ///< of a device
  std::uint32_t mode = 0;
  bool optional = false, writable = false;
  int tree_fd = -1;  ///< bind: the source as a mount that is detached and has its flags
};

/// What the native engine's child does before it is the init of the run. Ids and fault are those of
/// its init block.
struct NativeSetup {
  const PreparedStep* steps = nullptr;
  int step_count = 0;
  int root_step_count = 0;   ///< of these, from the first on; they make what runs may share
  bool in_template = false;  ///< and somebody did them: the process is born in a copy
  bool confined = false;     ///< a root of its own
  bool own_user = false;     ///< a user namespace was made with the child
  bool raises_loopback = false;
  bool change_identity = false;
  const char* uid_map = nullptr;  ///< own_user: of the run's namespaces
  const char* gid_map = nullptr;
};

struct InitLaunch;

/// From the first instruction in new namespaces to an init without any privilege. Returns when
/// everything succeeded.
///
/// Source: sandbox/launcher/README.md "The native engine" for the order and its reasons.
void set_up_native(const InitLaunch& launch, const NativeSetup& setup);

}  // namespace satellite::sandbox::bare
