#pragma once

#include <string>

namespace satellite::sandbox {

enum class RuntimeKind { bun, node };

/// A program that runs scripts in JavaScript here, found by letting it run one.
struct ModuleRuntime {
  RuntimeKind kind = RuntimeKind::node;
  std::string path;            ///< absolute, without symbolic links
  std::string version;         ///< as it says
  bool removes_types = false;  ///< node >= 22.13; bun always takes all of TypeScript
  bool operator==(const ModuleRuntime&) const = default;
};

/// `bun 1.4.5 (/usr/local/bin/bun), takes TypeScript`
inline std::string describe(const ModuleRuntime& runtime) {
  const bool is_bun = runtime.kind == RuntimeKind::bun;
  return std::string(is_bun ? "bun " : "node ") + runtime.version + " (" + runtime.path + "), " +
         (is_bun ? "takes TypeScript"
                 : (runtime.removes_types ? "takes TypeScript without enums and decorators"
                                          : "takes no types: node 22.13 and bun do"));
}

}  // namespace satellite::sandbox
