#include "sandbox/launcher/wire/posture.hpp"

#include "sandbox/planning/cgroup_plan.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>

namespace satellite::sandbox {
namespace {

std::string_view name_of_limit(std::size_t resource) {
  constexpr std::array<std::string_view, 4> names{"cpu", "nofile", "nproc", "fsize"};
  return names[resource];
}

std::string hexadecimal(std::uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof(text), "%llx", static_cast<unsigned long long>(number));
  return text;
}

std::string limit_text(std::uint64_t value) {
  if (value == std::numeric_limits<std::uint64_t>::max()) return "unlimited";
  return std::to_string(value);
}

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const auto& word : words) {
    if (!text.empty()) text += separator;
    text += word;
  }
  return text;
}

bool all_are(const std::array<std::uint32_t, 4>& ids, std::uint32_t wanted) {
  return std::all_of(ids.begin(), ids.end(), [&](std::uint32_t id) { return id == wanted; });
}

bool only_loopback(const Posture& posture) {
  return posture.network_read && std::all_of(posture.interfaces.begin(), posture.interfaces.end(),
                                             [](const std::string& name) { return name == "lo"; });
}

/// No capability that counts outside a user namespace of its own. The bounding set may stay: with
/// no_new_privs nothing can be gained from it.
bool holds_no_capability(const Posture& posture) {
  return posture.capabilities[0] == 0 && posture.capabilities[1] == 0 &&
         posture.capabilities[2] == 0 && posture.capabilities[4] == 0;
}

bool holds_nothing_at_all(const Posture& posture) {
  return std::all_of(posture.capabilities.begin(), posture.capabilities.end(),
                     [](std::uint64_t set) { return set == 0; });
}

using Missing = std::vector<std::string>;

void miss_privilege(const Expectation& expected, const Posture& seen, Missing& missing) {
  if (expected.identity) {
    if (!all_are(seen.uid, expected.identity->uid)) {
      missing.push_back("privilege: the host uid is " + std::to_string(seen.uid[1]));
    }
    if (!all_are(seen.gid, expected.identity->gid)) {
      missing.push_back("privilege: the host gid is " + std::to_string(seen.gid[1]));
    }
    if (seen.supplementary_groups != 0) {
      missing.push_back("privilege: supplementary groups survive");
    }
  }
  constexpr std::uint32_t mode_filter = 2;
  if (expected.filtered_calls && seen.seccomp_mode != mode_filter) {
    missing.push_back("privilege: no system call filter is in force");
  }
  if (expected.bare_of_privilege && seen.init_seccomp_mode != mode_filter) {
    missing.push_back("privilege: no system call filter is in force for init");
  }
  if (expected.bare_of_privilege && !holds_nothing_at_all(seen)) {
    missing.push_back("privilege: capabilities are held or could be gained: CapBnd " +
                      hexadecimal(seen.capabilities[3]));
  }
  if (!expected.not_host_root) return;
  if (std::count(seen.uid.begin(), seen.uid.end(), 0U) != 0) {
    missing.push_back("privilege: the host uid is 0");
  }
  if (!holds_no_capability(seen)) {
    missing.push_back("privilege: capabilities " + hexadecimal(seen.capabilities[2]) + " are held");
  }
}

void miss_namespaces(const Expectation& expected, const Posture& seen, Missing& missing) {
  if (expected.own_namespaces) {
    const std::array<std::pair<bool, const char*>, 4> wanted{{{seen.own_mount, "mount"},
                                                              {seen.own_pid, "pid"},
                                                              {seen.own_ipc, "ipc"},
                                                              {seen.own_uts, "uts"}}};
    for (const auto& [present, name] : wanted) {
      if (!present)
        missing.push_back(std::string("filesystem: shares the host's ") + name + " namespace");
    }
  }
  if (expected.own_user_namespace && !seen.own_user) {
    missing.push_back("filesystem: shares the host's user namespace");
  }
  if (expected.own_network && !seen.own_network) {
    missing.push_back("network: shares the host's network namespace");
  }
  if (expected.network_out_of_reach && seen.owns_network) {
    missing.push_back("network: the script's own user namespace owns it");
  }
  if (expected.routeless && !only_loopback(seen)) {
    missing.push_back("network: has interfaces besides lo: " + joined(seen.interfaces, " "));
  }
}

/// A run with a way out: exactly this uplink, behind exactly this filter.
void miss_uplink(const Expectation& expected, const Posture& seen, Missing& missing) {
  if (expected.uplink.empty()) return;
  auto interfaces = seen.interfaces;
  std::sort(interfaces.begin(), interfaces.end());
  std::vector<std::string> wanted{"lo", expected.uplink};
  std::sort(wanted.begin(), wanted.end());
  if (!seen.network_read || interfaces != wanted) {
    missing.push_back("network: the interfaces are not lo and " + expected.uplink + " but " +
                      joined(seen.interfaces, " "));
  }
  if (seen.filter_rules == 0 || seen.filter_rules != expected.filter_rules) {
    missing.push_back("network: " + std::to_string(seen.filter_rules) + " of " +
                      std::to_string(expected.filter_rules) + " filter rules are loaded");
  }
}

/// A size is rounded up to whole pages, whose largest has 64 KiB.
bool is_within(const MemorySize& seen, const std::vector<MemorySize>& allowed) {
  constexpr std::uint64_t page_size_max = 64U << 10U;
  return std::any_of(allowed.begin(), allowed.end(), [&seen](const MemorySize& one) {
    return one.path == seen.path && seen.bytes > 0 && seen.bytes < one.bytes + page_size_max;
  });
}

void miss_memory_sizes(const Expectation& expected, const Posture& seen, Missing& missing) {
  for (const auto& size : seen.memory_sizes) {
    if (is_within(size, expected.memory_sizes)) continue;
    missing.push_back("filesystem: " + size.path + " in memory may hold " +
                      std::to_string(size.bytes) + " bytes");
  }
  for (const auto& size : expected.memory_sizes) {
    const bool is_there =
        std::any_of(seen.memory_sizes.begin(), seen.memory_sizes.end(),
                    [&size](const MemorySize& one) { return one.path == size.path; });
    if (!is_there) missing.push_back("filesystem: " + size.path + " is not in memory");
  }
}

void miss_filesystem(const Expectation& expected, const Posture& seen, Missing& missing) {
  if (!expected.confined_filesystem) return;
  if (!seen.own_mount || !seen.own_root || !seen.mounts_read) {
    missing.push_back("filesystem: the root is the host's");
  }
  for (const auto& mount : seen.unexpected_writable_mounts) {
    missing.push_back("filesystem: " + mount + " is writable");
  }
  if (expected.sealed_root && !seen.root_sealed) {
    missing.push_back("filesystem: the root is writable or honours set-user-id files");
  }
  if (!seen.private_tmp) missing.push_back("filesystem: /tmp is not private");
  if (!expected.memory_sizes.empty()) miss_memory_sizes(expected, seen, missing);
}

bool limit_holds(const ResourceSetting& setting, const Posture& seen) {
  const auto& limit = seen.limits[static_cast<std::size_t>(setting.resource)];
  return limit.soft <= setting.value && limit.hard <= setting.value;
}

void miss_resources(const Expectation& expected, const Posture& seen, Missing& missing) {
  for (const auto& setting : expected.resource_settings) {
    if (limit_holds(setting, seen)) continue;
    const auto index = static_cast<std::size_t>(setting.resource);
    missing.push_back("resources: " + std::string(name_of_limit(index)) + " is " +
                      limit_text(seen.limits[index].hard));
  }
  for (auto& one : missing_of(expected.cgroup, seen.cgroup)) missing.push_back(std::move(one));
}

Missing missing_in_layer(Layer layer, const Expectation& expected, const Posture& seen) {
  Missing missing;
  switch (layer) {
    case Layer::resources:
      miss_resources(expected, seen, missing);
      break;
    case Layer::filesystem:
      miss_filesystem(expected, seen, missing);
      break;
    case Layer::network:
      miss_namespaces(expected, seen, missing);
      miss_uplink(expected, seen, missing);
      break;
    case Layer::privilege:
      miss_privilege(expected, seen, missing);
      break;
  }
  return missing;
}

std::string ids_text(const std::array<std::uint32_t, 4>& ids) {
  std::string text;
  for (const auto id : ids) text += " " + std::to_string(id);
  return text;
}

std::string privilege_evidence(const Posture& seen) {
  return "Uid" + ids_text(seen.uid) + ", Gid" + ids_text(seen.gid) + ", groups " +
         (seen.supplementary_groups == 0 ? "none" : std::to_string(seen.supplementary_groups)) +
         ", CapEff " + hexadecimal(seen.capabilities[2]) + ", CapBnd " +
         hexadecimal(seen.capabilities[3]) + ", NoNewPrivs " +
         (seen.no_new_privileges ? "1" : "0") + ", Seccomp " + std::to_string(seen.seccomp_mode) +
         " with " + std::to_string(seen.seccomp_filters) + " filters" +
         (seen.init_seccomp_mode == 0 ? "" : ", of init " + std::to_string(seen.init_seccomp_mode));
}

std::string filesystem_evidence(const Posture& seen) {
  if (!seen.own_mount) return "the host's mount namespace";
  std::string text = "own mount namespace, " + std::to_string(seen.mounts) + " mounts, root " +
                     (seen.own_root ? "private" : "the host's") + ", /tmp " +
                     (seen.private_tmp ? "private" : "the host's") + ", writable host mounts ";
  const std::string landlock =
      seen.landlock_abi == 0 ? "" : ", Landlock ABI " + std::to_string(seen.landlock_abi);
  text += seen.unexpected_writable_mounts.empty() ? "none"
                                                  : joined(seen.unexpected_writable_mounts, " ");
  for (const auto& size : seen.memory_sizes) {
    text += ", " + size.path + " of " + std::to_string(size.bytes) + " bytes";
  }
  return text + landlock;
}

std::string network_evidence(const Posture& seen) {
  if (!seen.own_network) return "the host's network namespace";
  std::string text = "own network namespace, interfaces: " + joined(seen.interfaces, " ") +
                     (seen.owns_network ? ", owned by the script's user namespace" : "");
  if (seen.filter_rules == 0) return text;
  return text + ", nftables ruleset of " + std::to_string(seen.filter_rules) +
         " rules read back, IPv4 routes: " + joined(seen.routes, "; ");
}

std::string resources_evidence(const Posture& seen) {
  std::string text;
  for (std::size_t i = 0; i < seen.limits.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::string(name_of_limit(i)) + " " + limit_text(seen.limits[i].hard);
  }
  if (const auto group = evidence_of(seen.cgroup); !group.empty()) text += "; " + group;
  return text;
}

}  // namespace

std::vector<std::string> missing_of(const Expectation& expectation, const Posture& posture) {
  Missing missing;
  for (const Layer layer :
       {Layer::privilege, Layer::network, Layer::filesystem, Layer::resources}) {
    for (auto& one : missing_in_layer(layer, expectation, posture)) {
      missing.push_back(std::move(one));
    }
  }
  if (posture.open_descriptors != posture.expected_descriptors) {
    missing.push_back("descriptors: " + std::to_string(posture.open_descriptors) +
                      " are open instead of " + std::to_string(posture.expected_descriptors));
  }
  return missing;
}

std::string evidence_of(Layer layer, const Posture& posture) {
  switch (layer) {
    case Layer::resources:
      return resources_evidence(posture);
    case Layer::filesystem:
      return filesystem_evidence(posture);
    case Layer::network:
      return network_evidence(posture);
    case Layer::privilege:
      break;
  }
  return privilege_evidence(posture);
}

EffectiveSandbox effective_from(const EffectiveSandbox& promise, const Expectation& expectation,
                                const Posture& posture) {
  EffectiveSandbox report = promise;
  for (auto& layer : report.layers) {
    layer.evidence = evidence_of(layer.layer, posture);
    const auto missing = missing_in_layer(layer.layer, expectation, posture);
    if (layer.state != LayerState::enforced || missing.empty()) continue;
    layer.state = LayerState::degraded;
    report.enforced.set(layer.layer, false);
    report.downgrades.push_back({layer.layer, joined(missing, "; ")});
  }
  return report;
}

}  // namespace satellite::sandbox
