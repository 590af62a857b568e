#pragma once

#include "agent/commands/invocation.hpp"
#include "agent/config/config.hpp"
#include "agent/config/load_config.hpp"
#include "agent/connection/core_url.hpp"
#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"

#include <string>
#include <vector>

namespace satellite::agent {

/// A whole file, or standard input for `-`.
///
/// Errors: not_found, io_failed, limit_exceeded; each names the file.
Result<std::string> read_input(const std::string& name, ByteCount size_max);

/// The same for a text that is JSON. Errors: also invalid_input for one that is empty or UTF-16.
Result<std::string> read_json_input(const std::string& name, ByteCount size_max);

/// As errors name it.
std::string name_of_input(const std::string& name);

/// The settings that matter on this host alone, for commands that connect to nobody.
Result<Config> local_settings(const Invocation& invocation);

/// Every setting with its source, and the cores they name, at least one.
struct CoreSettings {
  LoadedConfig loaded;
  std::vector<CoreAddress> cores;
};

/// For commands that connect.
Result<CoreSettings> core_settings(const Invocation& invocation, SettingsUse use);

}  // namespace satellite::agent
