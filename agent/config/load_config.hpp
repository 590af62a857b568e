#pragma once

#include "agent/config/config.hpp"
#include "protocol/vocabulary/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace satellite::agent {

/// Where settings may come from, strongest first: options, environment, file, built-in default.
struct ConfigSources {
  std::map<std::string, std::string> options;      ///< setting key -> text
  std::map<std::string, std::string> environment;  ///< the process's own
  std::optional<std::string> file;                 ///< named by the operator; must be readable
  std::uint32_t own_uid = 0;                       ///< whom the agent runs as
};

/// One setting as it took effect, for `check-config`. The token appears by its source only.
struct EffectiveSetting {
  std::string key, value, source;
};

struct LoadedConfig {
  Config config;
  std::vector<EffectiveSetting> settings;
};

/// What the settings are for: `local` commands connect to nobody and need neither core, id nor
/// token.
enum class SettingsUse { connects, local };

/// All sources -> one checked value, or the first thing that is wrong.
///
/// Errors: invalid_input, not_found, not_permitted; the message names the setting, its source
///         (option, variable, file:line) and the remedy, never a secret.
Result<LoadedConfig> load_config(const ConfigSources& sources, SettingsUse use);

/// The file read when nobody names one, if it is there.
extern const char* const default_config_file;

/// The process's environment as a map, and the token's own variable overwritten in place, so that
/// /proc/PID/environ does not go on showing it.
std::map<std::string, std::string> take_environment();

}  // namespace satellite::agent
