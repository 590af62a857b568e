#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// The IPv4 routes of a /proc/PID/net/route, for a person: `default via 10.0.2.2 dev tap0`.
///
/// Shape:  pure; a line that cannot be read is shown as it is, never left out.
std::vector<std::string> describe_routes(std::string_view text);

}  // namespace satellite::sandbox
