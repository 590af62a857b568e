#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace satellite::sandbox {

/// What a run brings along of what its check keeps.
///
/// Shape:  the file is anonymous and in memory. Before the run it holds the packed state of before
///         (packed_state), after one that ended well that of now (RunResult::has_new_state). Where
///         none was to be had it is null, and `not_kept` says so.
struct KeptState {
  std::shared_ptr<const UniqueFd> file;
  std::string not_kept;  ///< why nothing of this run is kept; empty = it is
  std::string lost{};    ///< why what was kept could not be read; empty = it was
};

/// Such a file with these bytes in it. Errors: those of memfd_create(2).
Result<std::shared_ptr<const UniqueFd>> make_state_file(std::string_view packed);

/// All of it. Errors: limit_exceeded for more than a packed state of `size_max` can have.
Result<std::string> read_state_file(int file, ByteCount size_max);

}  // namespace satellite::sandbox
