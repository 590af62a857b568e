#pragma once

#include "tests/support/temp_dir.hpp"

#include <string>
#include <vector>

namespace satellite::tests {

/// File systems of a host at places of their own, in each of which lies what no script may see.
///
/// Shape:  the places are made with this object and removed with it; mount_all() puts the file
///         systems there, in a mount namespace that the calling process has for itself
///         (in_child.hpp). In each: `secret`, `pub/secret`, `program` and the listening `socket`,
///         all for everybody. Needs root, loop devices and mkfs.ext4.
/// Errors: throws where they cannot be made.
class HostDisks {
 public:
  HostDisks();
  ~HostDisks();
  HostDisks(const HostDisks&) = delete;
  HostDisks& operator=(const HostDisks&) = delete;

  static bool is_possible();

  static constexpr const char* closed = "closed";  ///< ext4 with its lost+found
  static constexpr const char* plain = "plain";    ///< memory, where root alone makes directories
  static constexpr const char* open = "open";      ///< memory, where everybody does
  static constexpr const char* full = "full";      ///< ext4, read-only, with nothing closed in it
  static std::vector<std::string> names() { return {closed, plain, open, full}; }

  std::string at(const std::string& name) const { return path_ + "/" + name; }
  void mount_all() const;

 private:
  void mount_disk(const std::string& name) const;

  TempDir images_;
  std::string path_;
};

}  // namespace satellite::tests
