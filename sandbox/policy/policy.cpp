#include "sandbox/policy/policy.hpp"

#include "protocol/vocabulary/byte_count.hpp"
#include "sandbox/policy/address_block.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace satellite::sandbox {
namespace {

using namespace byte_literals;

/// Caps and view that our two profiles share; they differ in network and onUnavailable.
Policy confined_policy() {
  Policy policy;
  policy.resources.cpu_seconds = 60;
  policy.resources.memory_bytes = (512_MiB).value;
  policy.resources.max_open_files = 1024;
  policy.resources.max_processes = 256;
  policy.resources.max_output_bytes = (5_MiB).value;
  policy.resources.max_file_size_bytes = (256_MiB).value;
  policy.filesystem.mode = FilesystemMode::scratch_plus_ro;
  policy.privilege.mode = PrivilegeMode::drop_to_uid;
  return policy;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\n\v\f\r";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// The digits of a number in base 2, 8 or 16 after its prefix, or nothing when one does not belong.
std::optional<double> prefixed_number(std::string_view digits, unsigned base) {
  if (digits.empty()) return std::nullopt;
  double value = 0;
  for (const char c : digits) {
    const unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                           : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a') + 10
                           : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A') + 10
                                                  : base;
    if (digit >= base) return std::nullopt;
    value = value * base + digit;
  }
  return value;
}

/// The upstream reads these two variables as a JavaScript number, so `0x10`, `1e3` and `007` are
/// numbers here too; an operator who moves over keeps the identity that was in force.
std::optional<double> javascript_number(std::string_view text) {
  if (text.size() > 2 && text[0] == '0') {
    const std::string_view rest = text.substr(2);
    if (text[1] == 'x' || text[1] == 'X') return prefixed_number(rest, 16);
    if (text[1] == 'o' || text[1] == 'O') return prefixed_number(rest, 8);
    if (text[1] == 'b' || text[1] == 'B') return prefixed_number(rest, 2);
  }
  // strtod also knows hexadecimal floats, `inf` and `nan`, which are no numbers to the upstream.
  if (text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) return std::nullopt;
  const std::string copy(text);
  char* end = nullptr;
  const double value = std::strtod(copy.c_str(), &end);
  if (end == copy.c_str() || *end != '\0') return std::nullopt;
  return value;
}

std::optional<std::uint64_t> seeded_id(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  const std::string_view digits = trimmed(*text);
  if (digits.empty()) return std::nullopt;
  const auto number = javascript_number(digits);
  if (!number || *number < 0 || *number != std::floor(*number)) return std::nullopt;
  constexpr double beyond_any_id = 18446744073709551616.0;  // 2^64
  if (*number >= beyond_any_id) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

std::optional<std::uint64_t> smaller(const std::optional<std::uint64_t>& a,
                                     const std::optional<std::uint64_t>& b) {
  if (!a) return b;
  if (!b) return a;
  return std::min(*a, *b);
}

ResourceLimits stricter_of(const ResourceLimits& a, const ResourceLimits& b) {
  ResourceLimits limits;
  limits.cpu_seconds = smaller(a.cpu_seconds, b.cpu_seconds);
  limits.memory_bytes = smaller(a.memory_bytes, b.memory_bytes);
  limits.max_open_files = smaller(a.max_open_files, b.max_open_files);
  limits.max_processes = smaller(a.max_processes, b.max_processes);
  limits.max_output_bytes = smaller(a.max_output_bytes, b.max_output_bytes);
  limits.max_file_size_bytes = smaller(a.max_file_size_bytes, b.max_file_size_bytes);
  return limits;
}

/// More confinement first: `off` shows the whole host, `scratch-plus-ro` one more tree than
/// `scratch-only`.
int confinement_of(FilesystemMode mode) {
  switch (mode) {
    case FilesystemMode::off:
      return 0;
    case FilesystemMode::scratch_plus_ro:
      return 1;
    case FilesystemMode::scratch_only:
      return 2;
  }
  return 2;
}

int confinement_of(NetworkMode mode) {
  switch (mode) {
    case NetworkMode::unrestricted:
      return 0;
    case NetworkMode::allowlist:
      return 1;
    case NetworkMode::deny:
      return 2;
  }
  return 2;
}

NetworkPolicy stricter_of(const NetworkPolicy& a, const NetworkPolicy& b) {
  NetworkPolicy network;
  network.deny_link_local_and_metadata =
      a.deny_link_local_and_metadata || b.deny_link_local_and_metadata;
  const NetworkPolicy& tighter = confinement_of(b.mode) > confinement_of(a.mode) ? b : a;
  network.mode = tighter.mode;
  // A list of too many entries lets nothing out (egress_rules), and must not become a shorter one.
  const auto is_too_long = [](const NetworkPolicy& policy) {
    return policy.allow.size() > allow_entries_max;
  };
  if (a.mode == NetworkMode::allowlist && b.mode == NetworkMode::allowlist) {
    if (is_too_long(a) || is_too_long(b)) {
      network.allow = is_too_long(a) ? a.allow : b.allow;
      return network;
    }
    // An empty intersection is `allowlist` with no entry, which means no egress at all.
    network.allow = permitted_by_both(a.allow, b.allow);
  } else if (network.mode == NetworkMode::allowlist) {
    network.allow = tighter.allow;
  }
  return network;
}

/// A policy with a gid and no uid names no identity.
bool names_identity(const PrivilegePolicy& policy) {
  return policy.mode == PrivilegeMode::drop_to_uid && policy.uid.has_value();
}

bool name_the_same(const PrivilegePolicy& a, const PrivilegePolicy& b) {
  return a.uid == b.uid && a.gid.value_or(*a.uid) == b.gid.value_or(*b.uid);
}

PrivilegePolicy stricter_of(const PrivilegePolicy& a, const PrivilegePolicy& b) {
  if (names_identity(a) && names_identity(b) && !name_the_same(a, b)) {
    return {PrivilegeMode::drop_to_uid, std::nullopt, std::nullopt};
  }
  if (names_identity(a)) return a;
  if (names_identity(b)) return b;
  if (a.mode == PrivilegeMode::drop_to_uid) return a;
  return b;
}

}  // namespace

Policy shipped_default_policy() {
  Policy policy = confined_policy();
  policy.on_unavailable = OnUnavailable::fail;
  policy.network.mode = NetworkMode::allowlist;
  return policy;
}

Policy seeded_default_policy(const std::optional<std::string>& uid_text,
                             const std::optional<std::string>& gid_text) {
  Policy policy = shipped_default_policy();
  policy.privilege.uid = seeded_id(uid_text);
  if (policy.privilege.uid) policy.privilege.gid = seeded_id(gid_text);
  return policy;
}

Policy fail_closed_policy() {
  Policy policy = confined_policy();
  policy.on_unavailable = OnUnavailable::degrade;
  policy.network.mode = NetworkMode::deny;
  return policy;
}

Policy stricter_of(const Policy& a, const Policy& b) {
  // A disabled policy asks for nothing, so the other one is the stricter in every field.
  if (!a.enabled) return b;
  if (!b.enabled) return a;
  Policy policy;
  policy.on_unavailable =
      a.on_unavailable == OnUnavailable::fail ? a.on_unavailable : b.on_unavailable;
  policy.resources = stricter_of(a.resources, b.resources);
  policy.filesystem.mode = confinement_of(b.filesystem.mode) > confinement_of(a.filesystem.mode)
                               ? b.filesystem.mode
                               : a.filesystem.mode;
  policy.filesystem.scratch_bytes = smaller(a.filesystem.scratch_bytes, b.filesystem.scratch_bytes);
  policy.network = stricter_of(a.network, b.network);
  policy.privilege = stricter_of(a.privilege, b.privilege);
  return policy;
}

bool asks_for_a_way_out(const Policy& policy) {
  const NetworkPolicy& network = policy.network;
  if (!policy.enabled) return false;
  if (network.mode == NetworkMode::unrestricted) return network.deny_link_local_and_metadata;
  return network.mode == NetworkMode::allowlist && !network.allow.empty();
}

std::string_view name_of(OnUnavailable value) {
  return value == OnUnavailable::fail ? "fail" : "degrade";
}

std::string_view name_of(FilesystemMode mode) {
  switch (mode) {
    case FilesystemMode::off:
      return "off";
    case FilesystemMode::scratch_only:
      return "scratch-only";
    case FilesystemMode::scratch_plus_ro:
      return "scratch-plus-ro";
  }
  return "off";
}

std::string_view name_of(NetworkMode mode) {
  switch (mode) {
    case NetworkMode::unrestricted:
      return "unrestricted";
    case NetworkMode::deny:
      return "deny";
    case NetworkMode::allowlist:
      return "allowlist";
  }
  return "deny";
}

std::string_view name_of(PrivilegeMode mode) {
  return mode == PrivilegeMode::drop_to_uid ? "drop-to-uid" : "inherit";
}

}  // namespace satellite::sandbox
