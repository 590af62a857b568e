#include "sandbox/planning/world.hpp"

#include <filesystem>
#include <system_error>

// The only file of the planner that touches the disk, and it only reads.

namespace satellite::sandbox {

World host_world() {
  World world;
  world.exists = [](const std::string& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
  };
  world.real_path = [](const std::string& path) -> std::optional<std::string> {
    std::error_code error;
    const auto real = std::filesystem::canonical(path, error);
    if (error) return std::nullopt;
    return real.string();
  };
  return world;
}

}  // namespace satellite::sandbox
