#pragma once

#include "agent/config/config.hpp"
#include "agent/config/token_source.hpp"
#include "protocol/vocabulary/result.hpp"

#include <cstdint>
#include <map>
#include <memory>
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
  std::shared_ptr<EnvironmentToken> token{};       ///< taken out of `environment`
};

/// One setting as it took effect, for `check-config`. The token appears by its source only.
struct EffectiveSetting {
  std::string key, value, source;
};

struct LoadedConfig {
  Config config;
  std::vector<EffectiveSetting> settings;
  TokenSource token_source;
  std::vector<std::string> warnings;  ///< what is no error and not what anybody wants
};

/// What the settings are for. `connects` has the token in memory; `connects_later` only knows where
/// one is, and the caller reads it when it may be in memory; `running` has read one before and only
/// wants to know whether there is another; `local` commands connect to nobody and need neither
/// core, id nor token.
enum class SettingsUse { connects, connects_later, running, local };

/// All sources -> one checked value, or the first thing that is wrong.
///
/// Errors: invalid_input, not_found, not_permitted; the message names the setting, its source
///         (option, variable, file:line) and the remedy, never a secret.
Result<LoadedConfig> load_config(const ConfigSources& sources, SettingsUse use);

/// The file read when nobody names one, if it is there.
extern const char* const default_config_file;

/// The process's environment as a map without the token, whose variable is overwritten in place, so
/// that /proc/PID/environ does not go on showing it. EnvironmentToken::take() comes before it.
std::map<std::string, std::string> take_environment();

}  // namespace satellite::agent
