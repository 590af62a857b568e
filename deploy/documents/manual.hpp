#pragma once

#include "agent/commands/command_description.hpp"

#include <string>
#include <vector>

namespace satellite::documents {

/// checkstack-satellite(8): commands, options, files, exit codes.
///
/// Shape:  man(7) text.
std::string manual_of_program(const std::vector<agent::CommandDescription>& commands,
                              const std::string& version);

/// satellite.toml(5): each setting with its variable, option, default and bounds.
std::string manual_of_settings(const std::string& version);

}  // namespace satellite::documents
