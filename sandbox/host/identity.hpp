#pragma once

#include "protocol/vocabulary/result.hpp"

#include <cstdint>
#include <string_view>

namespace satellite::sandbox {

/// The user and group id of a process.
struct Identity {
  std::uint32_t uid = 0, gid = 0;
  bool operator==(const Identity&) const = default;
};

/// The ids that one run has to itself.
struct OwnIdentity {
  Identity script;
  std::uint32_t init_uid = 0;  ///< of its init, where that must not be the script's; 0 = it is
  bool operator==(const OwnIdentity&) const = default;
};

/// Which ids a run gets where some are set aside.
enum class OwnIds { none, of_script, of_script_and_init };

/// The largest id: the one above it means "unchanged" to setresuid(2).
inline constexpr std::uint64_t id_max = 4'294'967'294;

/// User ids that are set aside for runs (sandbox.uid_range): under a root launcher each living run
/// has one of them, and the group id of the same number, for itself alone; some have two.
///
/// Units:  `first` to `first + count - 1`; never 0 (root), never 2^32 - 1 ("unchanged" to
///         setresuid(2)).
struct IdentityRange {
  std::uint32_t first = 0, count = 0;

  std::uint32_t last() const { return first + (count - 1); }
  bool contains(std::uint32_t id) const { return id >= first && id <= last(); }
  bool operator==(const IdentityRange&) const = default;
};

/// The largest range: no more runs are ever alive at one time.
inline constexpr std::uint32_t identity_count_max = 65'536;

/// `BASE:COUNT`, as subuid(5) writes its numbers: `2000000000:64`.
///
/// Errors: invalid_input with what is wrong, for a person; 0 and 4294967295 are in no range.
Result<IdentityRange> parse_identity_range(std::string_view text);

}  // namespace satellite::sandbox
