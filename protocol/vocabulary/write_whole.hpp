#pragma once

#include <string_view>

namespace satellite {

/// Writes all of it to a file, in as many calls as that takes.
/// Errors: false with the errno of the call that failed; what was written before stays.
[[nodiscard]] bool write_whole(int fd, std::string_view bytes);

}  // namespace satellite
