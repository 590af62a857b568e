#pragma once

#include "protocol/vocabulary/result.hpp"

#include <map>
#include <string>

namespace satellite::agent {

/// The scope of an automation, flattened to environment variables for its shell script.
///
/// Shape:  CHECKSTACK_ + the path in upper case, every run of other characters one `_`: trigger
///         event and payload, artifacts by type, variables, the repeat's index and item. Scalars as
///         JavaScript writes them, objects by key, arrays joined by line feeds and by element.
/// Errors: invalid_input if the text is not JSON; limit_exceeded past the environment's bounds.
/// Source: core-contract 7.
Result<std::map<std::string, std::string>> automation_environment(const std::string& context_json);

}  // namespace satellite::agent
