#pragma once

#include "sandbox/launcher/wire/launch_order.hpp"

#include <string>
#include <vector>

namespace satellite::sandbox {

/// The whole command line of a wrapper that is to execute our init: the order's, and what only the
/// launcher knows.
///
/// Shape:  pure but for the ids and the priority of the calling process. `as_namespace_root`: it
///         starts as the root of the user namespace that owns the run's network, and the script
///         must not be that root.
/// Source: bwrap(1), nsjail(1).
std::vector<std::string> wrapper_command(const LaunchOrder& order, bool as_namespace_root);

/// The lines of a wrapper's messages that say why it failed, short enough for a report. Pure.
std::string reason_of_wrapper(const std::string& messages);

}  // namespace satellite::sandbox
