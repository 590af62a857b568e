#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/bare/init_block.hpp"
#include "sandbox/planning/plan.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace satellite::sandbox {

/// What must be true of the stopped script before it may start; read from outside at the barrier.
/// A `true` that is not found = kill, outcome `refused`.
struct Expectation {
  bool own_namespaces = false;        ///< mount, pid, ipc, uts differ from the launcher's
  bool own_network = false;           ///< network namespace differs from the launcher's
  bool routeless = false;             ///< and holds nothing but lo
  bool network_out_of_reach = false;  ///< and belongs to a user namespace above the script's
  bool confined_filesystem = false;   ///< own root; system directories read-only
  bool not_host_root = false;  ///< host uid is not 0 and no capability outside a user namespace
  bool own_user_namespace = false;
  /// The host's /proc, read-only, no pid namespace of its own, and no signal to others.
  bool shows_processes = false;
  std::uint32_t init_uid = 0;      ///< PlannedRun::init_uid
  bool filtered_calls = false;     ///< a system call filter is in force
  bool bare_of_privilege = false;  ///< every capability set is empty, the bounding set too
  /// Memory file systems with at most this much room each, and no further writable one.
  std::vector<MemorySize> memory_sizes;
  bool sealed_root = false;  ///< the root itself is read-only and honours no set-user-id file
  std::optional<Identity> identity;  ///< exactly these host ids, no supplementary group
  std::vector<ResourceSetting> resource_settings;
  std::string uplink;              ///< the one interface besides lo; empty = not asked about
  std::uint32_t filter_rules = 0;  ///< beside an uplink: how many rules were read back
  CgroupLimits cgroup;
  /// Of the host, of which some may not be there. None lets the script do anything in it; that is
  /// proven by the script's process before it is measured.
  std::vector<ShownDisk> disks{};
};

/// A network of the run's own, made before the run enters it.
struct NetworkOrder {
  Egress egress = Egress::slirp4netns;  ///< or macvlan; routeless has nothing to filter
  PacketFilter filter;
  std::vector<std::uint16_t> loopback_ports{};  ///< of the host, which answer in the run, too
};

/// Whether a run is made with what it shall execute, or up to the point where only that is missing.
enum class Task { given, awaited };

struct RunStreams {
  UniqueFd standard_output, standard_error;  ///< write ends
  /// Of a module alone: what its bootstrap reads, and where it answers.
  UniqueFd module_task{}, module_answer{};
  UniqueFd state{};  ///< PlannedRun::state_bytes: the packed state of its check, before and after
};

/// One run as the launcher gets it: plain data, bounded, sent as one sealed memory file.
///
/// Shape:  everything the launcher and the init of the run need; no decisions are left to them.
/// Errors: none; decoding a foreign or torn order is refused (wire/order_codec).
struct LaunchOrder : PlannedRun {
  std::uint64_t run_number = 0;  ///< ours, unique per agent process
  /// Set when the script is too long for one argv string; the command then reads it from a file.
  std::optional<std::string> long_script;
  std::vector<std::pair<std::string, std::string>> environment;
  std::optional<std::string> standard_input;  ///< absent = /dev/null
  /// The command gets a task and an answer of its streams on descriptors 3 and 4.
  bool is_module = false;
  Fault fault;  ///< only ever set by tests
  Expectation expectation;
  std::optional<NetworkOrder> network;
};

}  // namespace satellite::sandbox
