#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

enum class SettingKind {
  text,
  list,
  path,
  url,
  count,
  identity,
  range,
  seconds,
  toggle,
  choice,
  level
};

/// One setting, defined once: the file, the environment and the options all follow from this row.
struct Setting {
  std::string_view key;          ///< in the TOML file, dotted: `tls.ca_file`
  std::string_view environment;  ///< empty = not from the environment
  std::string_view option;       ///< with its dashes; empty = not from the command line
  SettingKind kind = SettingKind::text;
  std::string_view fallback;  ///< the default, as it would be written
  std::string_view help;
  unsigned long minimum = 0, maximum = 0;  ///< of count, identity and seconds
  std::string_view choices{};              ///< of choice and level: `ordered|shuffled`
};

std::span<const Setting> setting_table();

/// The row of a key, or null.
const Setting* find_setting(std::string_view key);

/// What a key of an earlier version is called now; empty for any other.
std::string_view renamed_setting(std::string_view key);

/// The only values that it takes; empty = any.
std::vector<std::string> choices_of(const Setting& setting);

/// What stands for its value in help and manuals: `SECONDS`, `ordered|shuffled`.
std::string value_word(const Setting& setting);

/// The known key closest to a mistyped one, for the error text; empty if none is near.
std::string_view nearest_setting(std::string_view mistyped);

}  // namespace satellite::agent
