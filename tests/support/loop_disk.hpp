#pragma once

#include "tests/support/temp_dir.hpp"

#include <sys/types.h>
#include <filesystem>
#include <string>

namespace satellite::tests {

/// A small disk (ext4 on a loop device) that can be made to hang or to fail.
///
/// Shape:  in a mount namespace that the calling process has for itself, in a child (in_child.hpp).
///         Needs root, loop devices and mkfs.ext4. Whatever becomes of the process, a frozen disk
///         is thawed, and the device goes with the mount.
/// Errors: throws where it cannot be made.
class LoopDisk {
 public:
  LoopDisk();
  ~LoopDisk();
  LoopDisk(const LoopDisk&) = delete;
  LoopDisk& operator=(const LoopDisk&) = delete;

  static bool is_possible();
  std::filesystem::path path() const { return directory_.path() / "disk"; }
  /// Whoever writes hangs from now on, until thaw().
  void freeze();
  void thaw();
  /// It turns read-only, as after an error of the device, and stays so.
  void fail();

 private:
  TempDir directory_;
  int root_ = -1, guard_ = -1;
};

}  // namespace satellite::tests
