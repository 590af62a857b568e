#pragma once

#include "protocol/vocabulary/result.hpp"

#include <cstdint>
#include <string_view>

namespace satellite::sandbox {

/// Whom the kernel takes a process for.
struct Identity {
  std::uint32_t uid = 0, gid = 0;
  bool operator==(const Identity&) const = default;
};

/// User ids that belong to nobody but runs: under a root launcher each living run has one of them,
/// and the group id of the same number, for itself alone.
///
/// Units:  `first` to `first + count - 1`; never root, never the number that means "unchanged".
struct IdentityRange {
  std::uint32_t first = 0, count = 0;

  std::uint32_t last() const { return first + (count - 1); }
  bool contains(std::uint32_t id) const { return id >= first && id <= last(); }
  bool operator==(const IdentityRange&) const = default;
};

/// More runs than this are never alive at one time, whatever the settings say.
inline constexpr std::uint32_t identity_count_max = 65'536;

/// `BASE:COUNT`, as subuid(5) writes its numbers: `200000:64`.
///
/// Errors: invalid_input with what is wrong, for a person; 0 and 4294967295 are in no range.
Result<IdentityRange> parse_identity_range(std::string_view text);

}  // namespace satellite::sandbox
