#pragma once

#include "agent/javascript/script_value.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace satellite::agent {

/// A point in time as JavaScript's Date keeps it: milliseconds since 1970, UTC.
struct ScriptDate {
  std::int64_t milliseconds = 0;
};

/// A number of milliseconds, or a text that Date.parse reads: ISO 8601, `Mon, 06 May 2024 07:08:09
/// GMT`, and a whole number (`"3"` is a month, `"2024"` a year). What else engines guess out of a
/// text (`Hello 3`) is no date here. A time without an offset is taken as UTC. Nothing where it is
/// no date.
std::optional<ScriptDate> date_of(const ScriptValue& value);

std::string iso_text(ScriptDate date);      ///< `2024-05-06T07:08:09.123Z`
std::string rfc2822_text(ScriptDate date);  ///< `Mon, 06 May 2024 07:08:09 GMT`

}  // namespace satellite::agent
