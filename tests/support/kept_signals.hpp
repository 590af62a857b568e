#pragma once

#include "sandbox/host/identity.hpp"

#include <cstdint>
#include <optional>

namespace satellite::tests {

/// What keeps the signals of a script that sees the host's processes: the kernel's scope, or users
/// of script and init that nobody else has, as before Linux 6.12.
enum class KeptSignals { by_scope, by_users };

/// The newest version of Landlock without such a scope, for launchers that are to do without.
inline std::optional<std::uint32_t> landlock_abi_for(KeptSignals kept) {
  constexpr std::uint32_t before_scopes = 5;
  return kept == KeptSignals::by_users ? std::optional(before_scopes) : std::nullopt;
}

inline std::optional<sandbox::IdentityRange> range_for(KeptSignals kept,
                                                       const sandbox::IdentityRange& ids) {
  return kept == KeptSignals::by_users ? std::optional(ids) : std::nullopt;
}

}  // namespace satellite::tests
