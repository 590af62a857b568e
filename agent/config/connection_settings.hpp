#pragma once

#include "agent/config/config.hpp"
#include "agent/config/load_config.hpp"

#include <map>
#include <string>

namespace satellite::agent {

/// The section `[connection]`: takes it into `config`.
/// Errors: invalid_input, with setting, source and remedy.
Result<void> take_connection(const std::map<std::string, EffectiveSetting>& values, Config& config);

/// The section `[offline]`.
/// Errors: invalid_input; also for a cache where nothing may be on disk.
Result<void> take_offline(const std::map<std::string, EffectiveSetting>& values, Config& config);

}  // namespace satellite::agent
