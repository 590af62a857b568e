#include "sandbox/launcher/verify/validate_posture.hpp"

#include "sandbox/launcher/wire/posture_text.hpp"
#include "sandbox/planning/cgroup_plan.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace satellite::sandbox {
namespace {

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

void check_privilege(const Expectation& expected, const Posture& seen, Missing& missing) {
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

void check_namespaces(const Expectation& expected, const Posture& seen, Missing& missing) {
  // With the host's /proc it must not have one, which check_filesystem() asks for.
  const bool has_own_pid = seen.own_pid || expected.shows_processes;
  if (expected.own_namespaces) {
    const std::array<std::pair<bool, const char*>, 4> wanted{{{seen.own_mount, "mount"},
                                                              {has_own_pid, "pid"},
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
void check_uplink(const Expectation& expected, const Posture& seen, Missing& missing) {
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

void check_memory_sizes(const Expectation& expected, const Posture& seen, Missing& missing) {
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

/// kill(2): by the sender's real or effective user, and the receiver's real or saved one.
bool signals_one_way(const Expectation& expected, const Posture& seen) {
  if (!expected.identity) return false;
  const std::uint32_t own = expected.init_uid, script = expected.identity->uid;
  return seen.init_uid == std::array{own, script, own, script};
}

void check_processes(const Expectation& expected, const Posture& seen, Missing& missing) {
  if (!expected.shows_processes) return;
  if (seen.own_pid || !seen.shows_processes) {
    missing.push_back(
        "filesystem: /proc is not the host's, read-only, which "
        "host_view.processes is to show");
  }
  if (expected.init_uid != 0 && !signals_one_way(expected, seen)) {
    missing.push_back("privilege: the run's init has the uid " + std::to_string(seen.init_uid[0]) +
                      " and not one that may signal its script and not be signalled by it");
  }
  if (!seen.keeps_signals) {
    missing.push_back(
        "filesystem: nothing keeps the script's signals from the host's processes, "
        "which host_view.processes is to show");
  }
}

void check_filesystem(const Expectation& expected, const Posture& seen, Missing& missing) {
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
  // Its root is a directory there, and without a hint would tell the sizes of something else.
  const bool is_root_shown = expected.disks.empty() || expected.disks.front().target != "/" ||
                             (seen.shown_disks & 1U) != 0;
  if (!is_root_shown) {
    missing.push_back(
        "filesystem: the scratch directory is not on the file system of the host's root, which "
        "host_view.disks is to show");
  }
  check_processes(expected, seen, missing);
  if (!seen.private_tmp) missing.push_back("filesystem: /tmp is not private");
  if (!expected.memory_sizes.empty()) check_memory_sizes(expected, seen, missing);
}

bool limit_holds(const ResourceSetting& setting, const Posture& seen) {
  const auto& limit = seen.limits[static_cast<std::size_t>(setting.resource)];
  return limit.soft <= setting.value && limit.hard <= setting.value;
}

void check_resources(const Expectation& expected, const Posture& seen, Missing& missing) {
  for (const auto& setting : expected.resource_settings) {
    if (limit_holds(setting, seen)) continue;
    const auto index = static_cast<std::size_t>(setting.resource);
    missing.push_back("resources: " + std::string(name_of_limit(index)) + " is " +
                      limit_text(seen.limits[index].hard));
  }
  for (auto& one : missing_of(expected.cgroup, seen.cgroup)) missing.push_back(std::move(one));
}

}  // namespace

std::vector<std::string> missing_in_layer(Layer layer, const Expectation& expected,
                                          const Posture& seen) {
  Missing missing;
  switch (layer) {
    case Layer::resources:
      check_resources(expected, seen, missing);
      break;
    case Layer::filesystem:
      check_filesystem(expected, seen, missing);
      break;
    case Layer::network:
      check_namespaces(expected, seen, missing);
      check_uplink(expected, seen, missing);
      break;
    case Layer::privilege:
      check_privilege(expected, seen, missing);
      break;
  }
  return missing;
}

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

}  // namespace satellite::sandbox
