#pragma once

#include "sandbox/host/module_runtime.hpp"
#include "sandbox/module/module_task.hpp"
#include "sandbox/planning/file_step.hpp"

#include <string>
#include <vector>

namespace satellite::sandbox {

/// Whether a run has a root of its own, which shows the bootstrap, or the host's, which does not.
enum class BootstrapPlace { own_root, argument };

/// The runtime with its bootstrap. Pure.
std::vector<std::string> module_command(const ModuleRuntime& runtime, BootstrapPlace place);

/// What a root of a module run's own shows besides: bootstrap, the SDK's modules, packages. Pure.
OwnFiles module_files(const ModuleInput& module);

/// The user's script as it is handed over: a module whose imports of the SDK lead to ours. Pure.
std::string script_to_run(std::string_view script, ModulePurpose purpose, BootstrapPlace place);

}  // namespace satellite::sandbox
