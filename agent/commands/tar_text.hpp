#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// One file of an archive.
struct TarEntry {
  std::string name;  ///< at most 100 bytes
  std::string text;
};

/// An archive of regular files that only their owner, root, may read.
///
/// Shape:  pure. Errors: none; a name that is too long is our own mistake.
/// Source: POSIX.1-2017 pax, "ustar Interchange Format".
std::string tar_text(const std::vector<TarEntry>& entries,
                     std::chrono::system_clock::time_point made_at);

}  // namespace satellite::agent
