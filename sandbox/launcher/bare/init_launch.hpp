#pragma once

#include "sandbox/launcher/bare/init_block.hpp"

namespace satellite::sandbox::bare {

struct NativeSetup;

/// Everything the forked copy of the launcher needs to become the init of a run; prepared before
/// the fork, so that the child only walks it.
struct InitLaunch {
  /// By InitFd, -1 = none.
  int fds[init_fd_end] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
  int null_fd = -1;
  const int* wrapper_file_fds = nullptr;  ///< they get the numbers behind those of `fds`
  int wrapper_file_count = 0;
  int wrapper_messages_fd = -1;        ///< what the wrapper writes to its standard error
  const char* wrapper_path = nullptr;  ///< null = no wrapper: this process becomes init itself
  const char* const* wrapper_arguments = nullptr;
  const char* const* wrapper_environment = nullptr;
  bool change_identity = false;  ///< before the wrapper starts
  std::uint32_t uid = 0, gid = 0;
  InitBlock* block = nullptr;           ///< null = it is mapped from its descriptor
  const NativeSetup* native = nullptr;  ///< null = a wrapper does it, or nobody
  /// CLONE_NEW*: namespaces that the child is born into.
  std::uint64_t new_namespaces = 0;
  /// Prepared namespaces to enter instead of making new ones; -1 = none.
  int join_user_namespace_fd = -1;
  int join_network_namespace_fd = -1;
};

/// Runs in the child right after the fork; never returns.
[[noreturn]] void become_init(const InitLaunch& launch);

}  // namespace satellite::sandbox::bare
