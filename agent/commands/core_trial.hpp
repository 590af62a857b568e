#pragma once

#include "agent/commands/input.hpp"
#include "agent/connection/way_to_core.hpp"

#include <ostream>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// The way to one core tried, as the service would go it.
struct CoreTrial {
  CoreAddress core;
  std::string way;  ///< `through the proxy http://proxy:3128 (environment HTTPS_PROXY)`
  std::vector<WayStep> steps;
};

/// Tries the way to a core, with `token` shown to it if there is one. Blocks for at most
/// `connection.deadline`. Starts threads, so it comes after the launcher was forked.
CoreTrial try_core(const Config& config, const CoreAddress& core, std::string_view token);

/// One line for each step, and one for what to do about it.
void print_trial(std::ostream& out, const CoreTrial& trial);

}  // namespace satellite::agent
