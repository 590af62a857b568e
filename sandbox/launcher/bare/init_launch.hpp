#pragma once

#include "sandbox/launcher/bare/init_block.hpp"

namespace satellite::sandbox::bare {

/// Everything the launcher's child needs to become the init of a run, or to execute it; prepared
/// before the fork, so that the child only walks it.
struct InitLaunch {
  /// By InitFd, -1 = none.
  int fds[init_fd_end] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
  int null_fd = -1;
  const int* wrapper_file_fds = nullptr;  ///< they get the numbers behind those of `fds`
  int wrapper_file_count = 0;
  int wrapper_messages_fd = -1;        ///< what the wrapper writes to its standard error
  const char* wrapper_path = nullptr;  ///< null = no wrapper: this process is init
  const char* const* wrapper_arguments = nullptr;
  const char* const* wrapper_environment = nullptr;
  bool change_identity = false;  ///< before the wrapper starts
  std::uint32_t uid = 0, gid = 0;
  /// Null = init is executed, and maps its block. Else this is its block: on a host where no memory
  /// file may be executed the child is a copy of the launcher and goes on as init.
  InitBlock* block = nullptr;
  /// CLONE_NEW*: namespaces that are made with the child.
  std::uint64_t new_namespaces = 0;
  /// Prepared namespaces to enter instead of making new ones; -1 = none.
  int join_user_namespace_fd = -1;
  int join_network_namespace_fd = -1;
  /// The mount namespace of a root template, of which the child gets a copy; -1 = none.
  int template_fd = -1;
  /// Made in a user namespace of its own: its capabilities there would be lost by an exec.
  bool keeps_capabilities = false;
};

/// Runs in the child right after the fork; never returns.
[[noreturn]] void become_init(const InitLaunch& launch);

}  // namespace satellite::sandbox::bare
