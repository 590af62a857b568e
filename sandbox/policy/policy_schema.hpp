#pragma once

#include "sandbox/policy/policy.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace satellite::sandbox {

/// One whole number of the policy: its JSON name, where it is kept and what it may be.
template <typename Section>
struct NumberField {
  const char* name;
  std::optional<std::uint64_t> Section::*member;
  std::uint64_t smallest;
  std::optional<std::uint64_t> largest;
};

/// Bounds of core-contract 1.7. A number without a largest value still ends where doubles stop
/// telling whole numbers apart (2^53 - 1).
inline constexpr std::array resource_fields{
    NumberField<ResourceLimits>{"cpuSeconds", &ResourceLimits::cpu_seconds, 1, 3600},
    NumberField<ResourceLimits>{"memoryBytes", &ResourceLimits::memory_bytes, 1, {}},
    NumberField<ResourceLimits>{"maxOpenFiles", &ResourceLimits::max_open_files, 1, 1'048'576},
    NumberField<ResourceLimits>{"maxProcesses", &ResourceLimits::max_processes, 1, 65'536},
    NumberField<ResourceLimits>{"maxOutputBytes", &ResourceLimits::max_output_bytes, 1, {}},
    NumberField<ResourceLimits>{"maxFileSizeBytes", &ResourceLimits::max_file_size_bytes, 1, {}},
};
inline constexpr std::array filesystem_fields{
    NumberField<FilesystemPolicy>{"scratchBytes", &FilesystemPolicy::scratch_bytes, 1, {}},
};
inline constexpr std::array privilege_fields{
    NumberField<PrivilegePolicy>{"uid", &PrivilegePolicy::uid, 0, {}},
    NumberField<PrivilegePolicy>{"gid", &PrivilegePolicy::gid, 0, {}},
};

inline constexpr std::array on_unavailable_values{OnUnavailable::degrade, OnUnavailable::fail};
inline constexpr std::array filesystem_modes{FilesystemMode::off, FilesystemMode::scratch_only,
                                             FilesystemMode::scratch_plus_ro};
inline constexpr std::array network_modes{NetworkMode::unrestricted, NetworkMode::deny,
                                          NetworkMode::allowlist};
inline constexpr std::array privilege_modes{PrivilegeMode::inherit, PrivilegeMode::drop_to_uid};

inline constexpr std::uint64_t safe_integer_max = 9'007'199'254'740'991;

}  // namespace satellite::sandbox
