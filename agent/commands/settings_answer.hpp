#pragma once

#include "agent/commands/input.hpp"
#include "tls/settings.hpp"

#include <ostream>
#include <string>

namespace satellite::agent {

/// Every setting with its source, what is odd about them, and which way leads to each core; `trust`
/// names the client certificate. Never a secret: those have no setting.
void print_settings(std::ostream& out, const CoreSettings& settings, const tls::Settings& trust);

/// The same as one JSON object; its keys are an interface.
std::string settings_json(const CoreSettings& settings, const tls::Settings& trust);
/// What stands in its place where the settings are wrong.
std::string wrong_settings_json(const Error& error);

}  // namespace satellite::agent
