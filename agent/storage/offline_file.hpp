#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"

#include <string>
#include <string_view>

namespace satellite::agent {

// The file of the offline cache on disk. All of these block: for the thread of the disk.

/// The content of a regular file that belongs to this user, that nobody else may read or write, and
/// that has no other name. Errors: not_found; not_permitted = it is none; limit_exceeded;
/// those of open(2) and read(2).
Result<std::string> read_private_file(const std::string& path, ByteCount size_max);

/// Puts a file of mode 0600 in the place of the one before: all of it or nothing, also after a
/// power failure.
Result<void> replace_private_file(const std::string& path, std::string_view content);

/// Overwrites the first bytes of a file that is there, within one block of the disk.
Result<void> overwrite_head(const std::string& path, std::string_view head);

/// Errors: none for one that is not there.
Result<void> remove_file(const std::string& path);

}  // namespace satellite::agent
