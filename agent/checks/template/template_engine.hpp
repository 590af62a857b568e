#pragma once

#include "agent/javascript/script_date.hpp"
#include "agent/javascript/script_value.hpp"
#include "protocol/vocabulary/result.hpp"

#include <string>
#include <string_view>

namespace satellite::agent {

/// One templatable text with its `{{ … }}` filled in.
///
/// Shape:  pure. `scope` is an object whose members are the names a template may say: `check`,
///         `system`, `environment`. A text that breaks the grammar anywhere comes back unchanged.
///         Values are never escaped: what is rendered is a value, not code.
/// Errors: unsupported = an unknown filter that was reached (its message begins with
///         `UnknownFilterError:`, which is how the core knows it); limit_exceeded.
/// Source: core-contract 4.1.
Result<std::string> render_template(std::string_view text, const ScriptValue& scope,
                                    ScriptDate now);

}  // namespace satellite::agent
