#pragma once

#include "agent/javascript/script_date.hpp"
#include "agent/javascript/script_value.hpp"
#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"

#include <string_view>
#include <vector>

namespace satellite::agent {

/// No text of a template may grow past this: `replace` in a row doubles what it is given.
inline constexpr ByteCount template_text_size_max{1U << 20U};

/// false, 0, NaN, "", null, undefined, [] and {} are not.
bool is_truthy(const ScriptValue& value);

/// One filter of the template language; `now` is for those that ask for an age.
///
/// Errors: unsupported = no such filter, in upstream's words; limit_exceeded = the text would grow
///         past template_text_size_max.
/// Source: core-contract 4.1.
Result<ScriptValue> apply_filter(std::string_view name, const ScriptValue& input,
                                 const std::vector<ScriptValue>& arguments, ScriptDate now);

}  // namespace satellite::agent
