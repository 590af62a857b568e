#pragma once

#include "protocol/vocabulary/result.hpp"

#include <map>
#include <string>
#include <string_view>

namespace satellite::agent {

/// One value of a settings file, still as text, and the line it stands on.
struct FileValue {
  std::string text;
  std::string where;  ///< `satellite.toml:7`
};

/// TOML text -> dotted key to value. Scalars only: a setting is never a list or a date.
///
/// Errors: invalid_input with file, line and remedy: not TOML, a list, a date, a key twice.
/// Source: TOML 1.0, https://toml.io/en/v1.0.0.
Result<std::map<std::string, FileValue>> parse_toml_settings(const std::string& text,
                                                             const std::string& file_name);

}  // namespace satellite::agent
