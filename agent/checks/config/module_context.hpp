#pragma once

#include "agent/checks/config/shell_variables.hpp"

#include <string>
#include <string_view>

namespace satellite::agent {

/// What an inline script finds as `context`, as JSON text.
///
/// Shape:  pure. {config, check, system, environment?}; `config` is the collector's stored
///         configuration word for word, with its references to run secrets unresolved.
/// Source: core-contract 3.6.
std::string module_context(std::string_view config_json, const CheckContext& context);

}  // namespace satellite::agent
