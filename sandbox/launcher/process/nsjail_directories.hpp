#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <sys/types.h>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// The directories of the host on which nsjail mounts a run's root while it builds it. It makes
/// them where they are missing, under names that everybody knows, and leaves them behind. So they
/// are made here before it starts, and removed when the last set-up that uses them is over.
///
/// Shape:  a run holds them from before its nsjail starts until its root is built. Several
///         launchers of one user share them: a lock on each says that it is in use.
/// Errors: not_permitted when somebody else's directory, or something else, stands in the place:
///         he could change under nsjail what it builds.
/// Source: the order in which nsjail looks for a place: /run/user/UID/nsjail, /run/user, /tmp.
class NsjailDirectories {
 public:
  /// For an nsjail that runs as `user` and sees itself as `named`. Waits 20 ms at most for another
  /// launcher that removes them.
  static Result<NsjailDirectories> take(uid_t named, uid_t user);

  NsjailDirectories(NsjailDirectories&&) = default;
  NsjailDirectories& operator=(NsjailDirectories&&) = default;
  ~NsjailDirectories();

 private:
  struct Held {
    std::string path;
    UniqueFd lock;
  };
  NsjailDirectories() = default;
  /// Nothing = it cannot be made there, so nsjail will look elsewhere.
  static Result<std::vector<Held>> hold(const std::vector<std::string>& paths, uid_t user);

  std::vector<Held> held_;
};

}  // namespace satellite::sandbox
