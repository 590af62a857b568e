#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/wire/launch_order.hpp"
#include "sandbox/launcher/wire/records.hpp"

#include <optional>
#include <variant>

namespace satellite::sandbox {

/// Whether a run is made with what it shall execute, or up to the point where only that is missing.
enum class Task { given, awaited };

struct RunStreams {
  UniqueFd standard_output, standard_error;  ///< write ends
};

/// What a script reads: its standard input, and its own text where that is too long for an
/// argument.
struct TaskInputs {
  UniqueFd standard_input, long_script;
};
std::variant<TaskInputs, RunSetupFailed> make_task_inputs(const LaunchOrder& order);

/// `/dev/stdout` and its kin open the pipe anew, for which the script's user must own it. Only a
/// pipe: anything else, such as /dev/null, belongs to others too.
void give_streams(const RunStreams& streams, const Identity& owner);

/// Gives a prepared run, which waits behind `barrier`, what to execute. Returns why it could not.
std::optional<RunSetupFailed> send_task(int barrier, const LaunchOrder& order,
                                        const RunStreams& streams);

}  // namespace satellite::sandbox
