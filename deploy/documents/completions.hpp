#pragma once

#include "agent/commands/command_description.hpp"

#include <string>
#include <vector>

namespace satellite::documents {

/// Programs for the three shells that complete commands, options, known values and paths.
std::string bash_completion(const std::vector<agent::CommandDescription>& commands);
std::string zsh_completion(const std::vector<agent::CommandDescription>& commands);
std::string fish_completion(const std::vector<agent::CommandDescription>& commands);

}  // namespace satellite::documents
