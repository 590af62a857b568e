#pragma once

#include <functional>
#include <optional>
#include <string>

namespace satellite::sandbox {

/// What the planner asks about the host's paths, and the host's name. Functions of a value, so that
/// the planner stays pure: tests answer from a list, the runner from the disk (this_host_paths).
struct HostPaths {
  std::function<bool(const std::string& path)> exists;
  /// The path without symbolic links, or nothing when it does not exist.
  std::function<std::optional<std::string>(const std::string& path)> real_path;
  /// Whether every user of the host may read it: the file itself and each directory on the way.
  std::function<bool(const std::string& path)> is_public = [](const std::string&) { return true; };
  /// The content of a file that every user of the host may read and that is not large.
  std::function<std::optional<std::string>(const std::string& path)> public_text =
      [](const std::string&) { return std::optional<std::string>(); };
  /// Whether every user of the host may walk to it; what it is itself does not count.
  std::function<bool(const std::string& path)> is_reachable = [](const std::string&) {
    return true;
  };
  /// Whether it is a directory and no link; nothing is followed at its end.
  std::function<bool(const std::string& path)> is_directory = [](const std::string&) {
    return false;
  };
  /// Whether it is a directory of root that nobody else may make or rename anything in.
  std::function<bool(const std::string& path)> is_roots_alone = [](const std::string&) {
    return false;
  };
  std::function<bool(const std::string& path)> is_socket = [](const std::string&) { return false; };
  /// The mounts that the satellite sees, as proc(5) has them.
  std::function<std::string()> mountinfo = [] { return std::string(); };
  std::string host_name{};  ///< as uname(2) tells it; empty = not known
};

/// Asks the disk of this host. For one plan: mounts and the directories on the way are looked at
/// once, everything else each time anew.
HostPaths this_host_paths();

}  // namespace satellite::sandbox
