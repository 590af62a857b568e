#pragma once

#include <string>
#include <vector>

namespace satellite::tests {

/// The JavaScript runtimes of this host.
struct RuntimeHere {
  std::string name;  ///< `bun` or `node`, which is also the layer to ask for
  std::string path;  ///< absolute
};

/// Those that are on PATH. A test in which none is there says so, and one that MUST_WORK names
/// fails.
std::vector<RuntimeHere> module_runtimes();

/// GENERATE over them.
RuntimeHere each_module_runtime();

}  // namespace satellite::tests
