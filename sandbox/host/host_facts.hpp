#pragma once

#include "protocol/vocabulary/result.hpp"

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// The external sandbox program found on PATH.
enum class Wrapper { none, bwrap, nsjail, firejail };
std::string_view name_of(Wrapper wrapper);

/// A wrapper program that put a run together here, measured at its barrier.
struct WorkingWrapper {
  Wrapper wrapper = Wrapper::none;
  std::string path;  ///< absolute
};

struct MacvlanAddressing {
  std::string ip, netmask, gateway;
  bool operator==(const MacvlanAddressing&) const = default;
};

/// One capability, whether it is there, and if not: why, and what the operator can do.
struct CapabilityFinding {
  std::string name;  ///< fixed word, e.g. `user_namespaces`
  bool present = false;
  std::string detail;  ///< what was seen, e.g. `/usr/bin/bwrap` or the errno text
  std::string remedy;  ///< empty when present
};

/// What this host can really do, found by using each primitive once (probing/probe).
///
/// Shape:  the reference satellite's capabilities first, then what only our launcher adds.
///         All-false is a host that can do nothing, so a value that nobody filled in refuses
///         instead of allowing.
/// Source: reference-satellite 4; core-contract 8.
struct HostFacts {
  std::string platform = "linux";
  bool euid_is_root = false;
  bool has_prlimit = false;
  bool rlimit_native = false;
  Wrapper wrapper = Wrapper::none;
  bool user_namespaces = false;
  bool user_ns_creatable = false;
  bool net_namespaces = false;
  std::optional<std::string> net_egress_iface;
  std::optional<MacvlanAddressing> net_egress_addressing;
  bool net_egress_rootless = false;

  // Ours. The launcher changes to the target uid and gid itself, before any wrapper starts, so a
  // drop needs no wrapper and leaves no host uid 0 behind.
  bool launcher_drops_privilege = false;
  // The launcher sets limits itself (prlimit(2)), so no util-linux program is needed.
  bool launcher_sets_rlimits = false;
  // The launcher builds every namespace, mount and filter itself: no wrapper program is needed.
  bool native_engine = false;
  /// Landlock keeps a script from signalling others of its user (Linux 6.12), which was tried.
  bool keeps_signals = false;
  // The wrapper can give memory file systems a size (bubblewrap since 0.7).
  bool wrapper_sizes_memory = false;
  /// No way out of a network namespace was tried yet: net_egress_* say nothing.
  bool egress_untried = false;
  /// The macvlan uplink has an IPv6 address too; slirp4netns carries IPv4 only.
  bool net_egress_ipv6 = false;
  /// The group of slirp4netns is outside of net.ipv4.ping_group_range: no ping passes through it.
  bool slirp4netns_drops_echo = false;
  /// The name servers that scripts find in /etc/resolv.conf, as it stood when the host was probed.
  std::vector<std::string> name_servers;
  // What a control group of our own (cgroup v2, delegated) can really limit.
  bool cgroup_memory = false, cgroup_pids = false, cgroup_cpu = false;
  std::string wrapper_path;  ///< absolute, empty when there is none
  /// Every wrapper that was tried and works, `wrapper` first. A run that may not use that one may
  /// be allowed another.
  std::vector<WorkingWrapper> working_wrappers;
  std::vector<CapabilityFinding> findings;  ///< one per capability, for `doctor` and the logs
};

/// The reference satellite's capability object (`platform`, `euidIsRoot`, …) and our additions.
///
/// Errors: invalid_input for a value of the wrong type; what is absent counts as missing.
nlohmann::json to_json(const HostFacts& facts);
Result<HostFacts> host_facts_from_json(const nlohmann::json& value);

}  // namespace satellite::sandbox
