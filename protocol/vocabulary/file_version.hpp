#pragma once

#include <cstdint>
#include <string>

namespace satellite {

/// What tells one content of a file from another without reading it.
///
/// Shape:  by name, because service managers and Kubernetes put a new file or link in the place of
///         the old one. All zero = it cannot be looked at.
/// Source: stat(2).
struct FileVersion {
  std::uint64_t device = 0, inode = 0, size = 0, mode = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;
  bool operator==(const FileVersion&) const = default;
};
FileVersion version_of_file(const std::string& path);

}  // namespace satellite
