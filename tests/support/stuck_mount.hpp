#pragma once

#include "protocol/vocabulary/unique_fd.hpp"

#include <sys/types.h>
#include <string>

namespace satellite::tests {

/// A file system (FUSE) that never answers when a name is looked up in it: who asks hangs in the
/// kernel, and SIGKILL does not help, as on a network file system whose server is gone.
///
/// Shape:  in a mount namespace that the calling process gets for itself; everybody may ask. Needs
///         root and /dev/fuse. release() lets all that hang go on with an error.
class StuckMount {
 public:
  StuckMount();
  ~StuckMount();
  StuckMount(const StuckMount&) = delete;
  StuckMount& operator=(const StuckMount&) = delete;

  static bool is_possible();
  /// What hangs when it is asked for, in a directory that confined scripts see.
  static std::string path() { return std::string(directory) + "/anything"; }
  /// May be called in a forked process with any user.
  void release() const;

 private:
  static constexpr const char* directory = "/usr/local/games";
  pid_t server_ = -1;
  UniqueFd release_;
};

}  // namespace satellite::tests
