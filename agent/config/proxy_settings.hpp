#pragma once

#include "agent/config/load_config.hpp"
#include "protocol/vocabulary/result.hpp"

#include <map>
#include <string>

namespace satellite::agent {

/// The section `[proxy]`: takes it into `config`. What is in the URL and in the list is looked at
/// by who connects (connection/proxy_choice).
void take_proxy(const std::map<std::string, EffectiveSetting>& values, const ConfigSources& sources,
                Config& config);

/// What HTTPS_PROXY and NO_PROXY say, in capitals before small letters, where neither file,
/// variable nor option of ours says it: the value and its source replace a default.
void take_proxy_variables(const ConfigSources& sources, EffectiveSetting& chosen);

}  // namespace satellite::agent
