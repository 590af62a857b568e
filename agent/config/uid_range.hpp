#pragma once

#include "agent/config/config.hpp"
#include "agent/config/load_config.hpp"

#include <map>
#include <string>

namespace satellite::agent {

/// `sandbox.uid_range` beside the other settings: takes it into `config`, or says what is wrong.
///
/// Shape:  pure; the rest of `config` is filled in already. `own_uid` is the agent's.
/// Errors: invalid_input for a malformed range, one that holds an id that is somebody's, one with
///         too few ids for the runs that may be alive at a time, or one beside sandbox.uid or
///         sandbox.gid; the message names setting, source and remedy.
Result<void> take_uid_range(const std::map<std::string, EffectiveSetting>& values,
                            std::uint32_t own_uid, Config& config);

}  // namespace satellite::agent
