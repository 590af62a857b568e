#pragma once

#include "protocol/vocabulary/result.hpp"

#include <string>

namespace satellite::agent {

/// The walls around a process that unpacks.
struct UnpackConfinement {
  int landlock_abi = 0;  ///< the version of the kernel's interface in force; 0 = none
  bool own_root = false;
  bool own_network = false;

  /// `landlock 7, own root, own network, system calls`, for people.
  std::string words() const;
};

/// Shuts this process into `directory`, for good: limits, no capability, no network, no file
/// elsewhere, and no system call but those that unpacking takes.
///
/// Shape:  the filter of system calls must hold, and of Landlock and a root of its own at least
///         one; what the host cannot give beside them is gone without. Descriptors that are open
///         stay usable. Threads, children, sockets and executable memory are refused afterwards.
/// Errors: unsupported = nothing would keep it from other files, or it could still make any call.
/// Source: landlock(7), seccomp(2), user_namespaces(7), capabilities(7).
Result<UnpackConfinement> confine_to(int directory);

}  // namespace satellite::agent
