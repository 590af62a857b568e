#pragma once

#include "protocol/vocabulary/result.hpp"

#include <sys/types.h>

#include <string>
#include <string_view>

namespace satellite::agent {

/// Puts a file in the place of another, or makes it: whole or not at all, on disk when it returns,
/// with this mode from the first byte on. The owner is who calls.
///
/// Errors: those of open(2), write(2), fsync(2) and rename(2), naming the file.
Result<void> put_file(const std::string& path, std::string_view text, mode_t mode);

}  // namespace satellite::agent
