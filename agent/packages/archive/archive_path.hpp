#pragma once

#include "protocol/vocabulary/result.hpp"

#include <string>
#include <string_view>

namespace satellite::agent {

/// Where an entry of an archive lies.
struct ArchivePath {
  std::string top;     ///< the first directory; empty for the archive's own root
  std::string inside;  ///< below it, without empty and `.` segments; empty for the directory itself
  bool ends_with_slash = false;
};

/// The path of an entry as it stands in the archive -> where it lies, or the rule that it breaks.
/// Pure.
///
/// Errors: invalid_input for absolute paths, drive letters, backslashes, control characters and
///         `..`; limit_exceeded for what is too long or too deep.
Result<ArchivePath> read_archive_path(std::string_view path);

}  // namespace satellite::agent
