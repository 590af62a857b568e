#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace satellite {

/// Remote text made fit for one log line or error: plain ASCII, other bytes as `?`, cut with `...`.
std::string printable(std::string_view text, std::size_t size_max = 64);

}  // namespace satellite
