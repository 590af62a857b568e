#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <string>

namespace satellite::agent {

/// The directory whose content outlives the process, and the lock that makes this process its only
/// user.
///
/// Shape:  made with mode 0700 if it is not there; must belong to this user and be no link. The
///         lock goes with the process, however it ends.
/// Errors: unavailable = another satellite holds it, with its process id; anything else = it cannot
///         be had, and why.
/// Source: flock(2).
class StateDirectory {
 public:
  static Result<StateDirectory> open(const std::string& path);

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  StateDirectory(std::string path, UniqueFd lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  UniqueFd lock_;
};

/// Puts a file, and the files beside it that SQLite made for it, out of the way under another name,
/// in place of what was put there before. Nothing is deleted that is not replaced.
Result<std::string> set_aside(const std::string& file, const std::string& why);

}  // namespace satellite::agent
