#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// Where a script finds what its check keeps between runs, and the variable that says so.
inline constexpr std::string_view state_directory = "/.state";
inline constexpr const char* state_variable = "CHECKSTACK_STATE_DIRECTORY";

/// How much a check may keep. Memory of the host while the run lives, so little is usual; less than
/// a page is no file system.
inline constexpr ByteCount state_size_min{4U << 10U}, state_size_max{64U << 20U};
/// Files and directories together, and how deep these may lie in each other.
inline constexpr std::size_t state_entries_max = 2'000, state_depth_max = 8;

/// One file or directory of a state.
struct StateEntry {
  enum class Kind : std::uint8_t { directory = 1, file = 2 };
  Kind kind = Kind::file;
  std::string_view path;              ///< below the state directory: `a/b`
  std::uint16_t mode = 0;             ///< permission bits alone
  std::int64_t modified_seconds = 0;  ///< of a file, since 1970
  std::uint32_t modified_nanoseconds = 0;
  std::string_view content;  ///< of a file
  bool operator==(const StateEntry&) const = default;
};

/// The entries of a packed state; they look into `packed`. No bytes at all are a state of nothing.
///
/// Shape:  pure, safe on any bytes (a fuzz target). A directory stands before what lies in it, and
///         all stand in the one order of `is_before`, so that each state has one spelling and no
///         path comes twice.
/// Errors: invalid_input for what no packer wrote: foreign or torn bytes, a path that climbs or
///         lies in no directory of the state; limit_exceeded for more content than `size_max`, or
///         beyond the two bounds above.
Result<std::vector<StateEntry>> read_packed_state(std::string_view packed, ByteCount size_max);

// The same from the other side, in pieces: a head, for each entry its head and then its content,
// an end.
std::string packed_state_head();
/// `content_size` counts for files; the entry's content is not looked at.
std::string packed_entry_head(const StateEntry& entry, std::uint64_t content_size);
std::string packed_state_end();
/// Whether no name in it is of importance to a path, or too long.
bool is_state_name(std::string_view name);
/// The order of entries: as if each directory were listed by its names, each followed at once by
/// what lies in it.
bool is_before(std::string_view path, std::string_view other);

}  // namespace satellite::sandbox
