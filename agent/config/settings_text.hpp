#pragma once

#include <map>
#include <string>
#include <string_view>

namespace satellite::agent {

/// The text of a settings file with these settings in it: a line that has one is replaced, a
/// missing one is added to its section, a missing section at the end; all else stays as it was,
/// comments included. Pure.
///
/// Shape:  keys as in the setting table; values as options have them.
std::string with_settings(std::string_view text, const std::map<std::string, std::string>& values);

}  // namespace satellite::agent
