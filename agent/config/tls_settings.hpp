#pragma once

#include "agent/config/load_config.hpp"
#include "protocol/vocabulary/result.hpp"

#include <map>
#include <string>

namespace satellite::agent {

/// The section `[tls]`: takes it into `config`; no file is read.
///
/// Errors: invalid_input, with setting, source and remedy; also for one half of a client
///         certificate without the other.
Result<void> take_tls(const std::map<std::string, EffectiveSetting>& values,
                      const ConfigSources& sources, Config& config);

}  // namespace satellite::agent
