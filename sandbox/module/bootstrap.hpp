#pragma once

#include <string_view>

namespace satellite::sandbox {

/// The program that the runtime of a module run executes: it reads the task (module_task) from
/// descriptor 3, runs the script and answers on descriptor 4 (module_answer). One text for bun and
/// node, without a NUL byte.
std::string_view module_bootstrap();

/// Where a root of the run's own shows it, and the modules that scripts import from the SDK.
inline constexpr std::string_view module_directory = "/.module";
inline constexpr std::string_view bun_bootstrap_path = "/.module/runner.mjs";
inline constexpr std::string_view node_bootstrap_path = "/.module/runner.cjs";

}  // namespace satellite::sandbox
