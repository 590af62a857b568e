#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// What an unpacked package consists of, in the order in which it was unpacked: each directory
/// before what lies in it.
struct PackageContents {
  struct Entry {
    std::string path;  ///< below the package's own directory
    bool is_directory = false;
    bool executable = false;
    ByteCount size;
    std::string sha256;  ///< of a file
    bool operator==(const Entry&) const = default;
  };
  std::vector<Entry> entries;

  std::size_t files() const;
  ByteCount size() const;
};

/// The same as a file: one line an entry, `d PATH` or `f|x SHA256 SIZE PATH`. Pure.
std::string contents_text(const PackageContents& contents);
/// Errors: invalid_input for what contents_text did not make: paths that lead elsewhere, too.
Result<PackageContents> parse_contents(std::string_view text);

}  // namespace satellite::agent
