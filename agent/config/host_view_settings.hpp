#pragma once

#include "agent/config/config.hpp"
#include "agent/config/load_config.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace satellite::agent {

/// The section `[host_view]`: takes it into `config.host_view`.
///
/// Shape:  the rest of `config` is filled in already; what the satellite keeps for itself comes
///         from there and from `sources`, and may not be shown.
/// Errors: invalid_input, limit_exceeded, not_permitted; each names the setting, its source and
///         what is wrong.
Result<void> take_host_view(const std::map<std::string, EffectiveSetting>& values,
                            const ConfigSources& sources, Config& config);

/// The settings that grant something, with their values in words, and of which kinds of runs that
/// is true. Nothing where nothing is granted.
std::vector<std::pair<std::string, std::string>> granted_settings(const sandbox::HostView& view);

/// What an operator should know of what he grants: one line each. Looks through what is granted, as
/// far as 10,000 entries in six directories one below the other.
std::vector<std::string> host_view_warnings(const Config& config);

}  // namespace satellite::agent
