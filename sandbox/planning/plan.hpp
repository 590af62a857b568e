#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "sandbox/host/engines.hpp"
#include "sandbox/host/identity.hpp"
#include "sandbox/kernel/cgroup_limits.hpp"
#include "sandbox/planning/file_step.hpp"
#include "sandbox/planning/packet_filter.hpp"
#include "sandbox/policy/policy.hpp"
#include "sandbox/report/report.hpp"
#include "sandbox/report/run_request.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace satellite::sandbox {

enum class Resource { cpu_seconds, open_files, processes, file_size };

struct ResourceSetting {
  Resource resource = Resource::cpu_seconds;
  std::uint64_t value = 0;
  bool operator==(const ResourceSetting&) const = default;
};

/// A file system in memory and how much it may hold.
struct MemorySize {
  std::string path;
  std::uint64_t bytes = 0;
  bool operator==(const MemorySize&) const = default;
};

/// A file or directory that Landlock lets a script read, and execute.
struct ReadablePath {
  std::string path;
  bool executable = false;
  bool operator==(const ReadablePath&) const = default;
};

/// A file system of the host that a run shows at its place: its sizes, type and device, and nothing
/// that is in it.
struct ShownDisk {
  std::string target;        ///< absolute
  std::string type, device;  ///< as mountinfo has them
  /// Nobody but root can change what is in its root directory; not part of an order's expectation.
  bool is_roots_alone = false;
  bool operator==(const ShownDisk&) const = default;
};

/// How packets leave a run: by the host's network namespace, or by what uplink of its own.
enum class Egress { host, routeless, macvlan, slirp4netns };
std::string_view name_of(Egress egress);

/// What a plan and the order that is made of it have in common.
struct PlannedRun {
  Engine engine = Engine::none;
  /// The wrapper's command line without the closing `--`; empty when no wrapper engages.
  std::vector<std::string> wrapper;
  std::optional<NativePlan> native;  ///< set exactly for Engine::native
  /// What the wrapper reads from its descriptors, wrapper_file_fd_first and up: the files that are
  /// made for the run.
  std::vector<std::string> wrapper_files;
  std::vector<std::string> writable_paths;   ///< all that Landlock lets the script write to
  std::vector<ReadablePath> readable_paths;  ///< and read; empty = all that is there
  /// Limits set on the script by the launcher; the numbers of the reference satellite's `prlimit`.
  std::vector<ResourceSetting> resource_settings;
  std::vector<std::string> command;  ///< e.g. sh -c SCRIPT
  /// Where the launcher changes to. Absent when the wrapper does it, inside its own file view.
  std::optional<std::string> working_directory;
  std::string scratch_directory;     ///< made for this run, owned by the identity, removed after it
  std::optional<Identity> identity;  ///< changed to for real before anything else starts
  bool identity_is_own = false;      ///< refused while anything of another run has it
  /// The real and saved user of the run's init, whose effective one is the script's: it may signal
  /// the script, and the script not it. As much the run's own; 0 = it has the script's.
  std::uint32_t init_uid = 0;
  /// Above so much memory the launcher ends the run when it looks, which is not a limit; 0 = it
  /// does not look.
  std::uint64_t watched_memory_bytes = 0;
  CgroupLimits cgroup;  ///< set = the run starts in a group of its own with these limits
  /// Size of the memory file system for what its check keeps between runs; 0 = none.
  std::uint64_t state_bytes = 0;
};

/// Everything the launcher has to do for one run, decided before anything is done.
///
/// Shape:  a value: printable, comparable field by field, no descriptors, no pointers.
/// Source: reference-satellite 5; sandbox/README.md "The way of a run".
struct Plan : PlannedRun {
  /// The script's view is the native engine's, whoever builds it: a sealed root, a few files of
  /// /etc. Else it is the reference satellite's, with all of /etc and a root that takes writes.
  bool has_own_view = false;
  /// Memory file systems that the script may fill; empty where the wrapper cannot give them a size.
  std::vector<MemorySize> memory_sizes;
  std::vector<ShownDisk> disks;  ///< of the host; which of them are there is measured
  /// Where all of them are, every place of the run gives figures of the host's disks.
  bool shows_host_disks = false;
  std::map<std::string, std::string> environment;
  /// What a module's bootstrap sets before the script; in no file of /proc.
  std::map<std::string, std::string> late_environment;
  std::vector<std::string> dropped_environment;
  Egress egress = Egress::host;
  /// The packet filter as an nftables ruleset: what `plan` prints. With `egress` host it is what
  /// would have been loaded, had this run been able to stage it.
  std::optional<std::string> nft_text;
  /// The same rules as data: the launcher loads them before it makes the uplink of an `egress` of
  /// macvlan or slirp4netns.
  std::optional<PacketFilter> packet_filter;
  std::vector<std::uint16_t> loopback_ports;  ///< of the host, which answer in the run, too
  std::optional<ByteCount> output_size_max;
  bool heap_limit_kept = false;  ///< this run really gets module_memory_environment
  /// Heap limit for a JavaScript runtime, merged over `environment` for modules only.
  std::optional<std::map<std::string, std::string>> module_memory_environment;
  EffectiveSandbox promise;  ///< what will be enforced if every step succeeds
};

/// The policy says `fail` and this host cannot do what it asks: nothing is started.
struct Refusal {
  EffectiveSandbox promise;  ///< what would have been enforced, with every downgrade named
};

using Decision = std::variant<Plan, Refusal>;

}  // namespace satellite::sandbox
