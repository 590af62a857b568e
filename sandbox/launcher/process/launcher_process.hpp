#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/kernel/scratch_area.hpp"
#include "sandbox/launcher/wire/launcher_settings.hpp"

#include <sys/types.h>
#include <cstdint>

namespace satellite::sandbox {

/// The launcher's whole life, in the process that Launcher::start forked; returns its exit code.
///
/// Shape:  one thread, one poll loop. Takes LauncherRequests, answers with LauncherRecords
///         (wire/records), owns every run's process. Ends when the agent is gone, after every
///         run is dead and the scratch area is removed. `script_open_files` is the soft limit of
///         scripts whose policy names none.
int run_launcher(UniqueFd agent, kernel::ScratchArea& scratch, pid_t agent_pid,
                 LauncherSettings settings, std::uint64_t script_open_files);

}  // namespace satellite::sandbox
