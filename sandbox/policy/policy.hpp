#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// What a run may do: the cluster's sandbox policy as a value.
///
/// Shape:  the wire's policy, field by field; member defaults are the schema's defaults.
/// Units:  bytes and seconds as named. Bounds are the schema's and are checked in policy_json.
/// Source: core-contract 1.7; reference-satellite 1.
enum class OnUnavailable { degrade, fail };
enum class FilesystemMode { off, scratch_only, scratch_plus_ro };
enum class NetworkMode { unrestricted, deny, allowlist };
enum class PrivilegeMode { inherit, drop_to_uid };

struct ResourceLimits {
  std::optional<std::uint64_t> cpu_seconds;
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> max_open_files;
  std::optional<std::uint64_t> max_processes;
  std::optional<std::uint64_t> max_output_bytes;  ///< stdout and stderr together
  std::optional<std::uint64_t> max_file_size_bytes;
  bool operator==(const ResourceLimits&) const = default;
};

struct FilesystemPolicy {
  FilesystemMode mode = FilesystemMode::off;
  std::optional<std::uint64_t> scratch_bytes;
  bool operator==(const FilesystemPolicy&) const = default;
};

struct NetworkPolicy {
  NetworkMode mode = NetworkMode::unrestricted;
  std::vector<std::string> allow;  ///< addresses and CIDR blocks; empty with `allowlist` = deny
  bool deny_link_local_and_metadata = true;
  bool operator==(const NetworkPolicy&) const = default;
};

struct PrivilegePolicy {
  PrivilegeMode mode = PrivilegeMode::inherit;
  std::optional<std::uint64_t> uid;
  std::optional<std::uint64_t> gid;
  bool operator==(const PrivilegePolicy&) const = default;
};

struct Policy {
  bool enabled = true;
  OnUnavailable on_unavailable = OnUnavailable::degrade;
  ResourceLimits resources;
  FilesystemPolicy filesystem;
  NetworkPolicy network;
  PrivilegePolicy privilege;
  bool operator==(const Policy&) const = default;
};

/// The shipped default: every layer on, no egress, refuse what cannot be enforced.
Policy shipped_default_policy();

/// The shipped default with the unprivileged identity seeded from the environment variables
/// CHECKSTACK_SANDBOX_UID and CHECKSTACK_SANDBOX_GID. A malformed value counts as not configured; a
/// group without a user is ignored.
Policy seeded_default_policy(const std::optional<std::string>& uid_text,
                             const std::optional<std::string>& gid_text);

/// In force while no valid policy arrived: the same caps, network `deny`, degrade instead of fail.
Policy fail_closed_policy();

/// Field by field the stricter value. A local policy can only tighten the relayed one with it.
///
/// Shape:  commutative and idempotent in what it permits, never looser than either. Two allowlists
///         become what both permit. Two policies that drop to different identities become one that
///         names none: then the supervisor chooses, and always an unprivileged one.
Policy stricter_of(const Policy& a, const Policy& b);

/// Whether runs need a network namespace of their own with filtered egress.
bool asks_for_a_way_out(const Policy& policy);

std::string_view name_of(OnUnavailable value);
std::string_view name_of(FilesystemMode mode);
std::string_view name_of(NetworkMode mode);
std::string_view name_of(PrivilegeMode mode);

}  // namespace satellite::sandbox
