#include "tests/support/module_runtimes.hpp"

#include "tests/support/require_layer.hpp"

#include <unistd.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <sstream>

namespace satellite::tests {
namespace {

std::string on_path(const std::string& name) {
  const char* const own = std::getenv("PATH");
  std::istringstream directories(own == nullptr ? "/usr/local/bin:/usr/bin:/bin" : own);
  for (std::string directory; std::getline(directories, directory, ':');) {
    const std::string path = directory + "/" + name;
    if (!directory.empty() && ::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

}  // namespace

std::vector<RuntimeHere> module_runtimes() {
  std::vector<RuntimeHere> found;
  for (const char* name : {"bun", "node"}) {
    const std::string path = on_path(name);
    if (require_part(name, !path.empty(), "it is not on PATH")) found.push_back({name, path});
  }
  return found;
}

RuntimeHere each_module_runtime() {
  return GENERATE(from_range(module_runtimes()));
}

}  // namespace satellite::tests
