#pragma once

#include <functional>
#include <optional>
#include <string>

namespace satellite::sandbox {

/// What a plan has to know about paths of the host. A value of two questions, so that the planner
/// stays pure: tests answer from a list, the runner from the disk (host_world).
struct World {
  std::function<bool(const std::string& path)> exists;
  /// The path without symbolic links, or nothing when it does not exist.
  std::function<std::optional<std::string>(const std::string& path)> real_path;
};

/// Asks the disk of this host, each time anew.
World host_world();

}  // namespace satellite::sandbox
