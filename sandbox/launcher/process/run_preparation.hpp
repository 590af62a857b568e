#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/kernel/cgroup_leaf.hpp"
#include "sandbox/kernel/cgroup_tree.hpp"
#include "sandbox/kernel/scratch_area.hpp"
#include "sandbox/launcher/bare/init_launch.hpp"
#include "sandbox/launcher/bare/native_setup.hpp"
#include "sandbox/launcher/process/disk_root.hpp"
#include "sandbox/launcher/process/nsjail_directories.hpp"
#include "sandbox/launcher/process/root_templates.hpp"
#include "sandbox/launcher/verify/measure.hpp"
#include "sandbox/launcher/wire/launch_order.hpp"
#include "sandbox/launcher/wire/made_ahead.hpp"
#include "sandbox/launcher/wire/setup_result.hpp"

#include <linux/filter.h>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace satellite::sandbox {

/// What the launcher has at hand for every run.
struct LauncherState {
  kernel::ScratchArea& scratch;
  OwnSurroundings surroundings;
  Result<UniqueFd> init_program;  ///< sealed, executable; a host may forbid such files
  UniqueFd null_device;
  bool is_root = false;
  /// With fs.suid_dumpable = 1 the kernel lets a user debug a process that dropped to that user;
  /// such a child must then not share our memory.
  bool may_share_memory = false;
  std::uint32_t landlock_abi = 0;
  std::vector<sock_filter> filter;               ///< of every confined script
  std::vector<sock_filter> filter_among_others;  ///< of one that sees the host's processes
  std::vector<sock_filter> init_filter;          ///< of its init
  std::vector<sock_filter> looking_init_filter;  ///< of one that finds its run by looking
  std::uint64_t script_open_files = 0;           ///< soft limit where the policy names none
  /// No script may be root, have root's group or a capability of the host, whatever its order says.
  bool keeps_scripts_from_root = true;
  MadeAhead made_ahead{true, true};  ///< what is made before a run needs it
  /// Groups for the runs, or why there are none. Made with the state, once in a launcher's life.
  Result<kernel::CgroupTree> cgroups = kernel::CgroupTree::make();
  /// What is to be removed of roots on a disk.
  DiskRoot::Unused unused_roots = std::make_shared<std::vector<std::string>>();
};

/// The order of a native run as the child walks it: C strings and plain structs, made before the
/// fork.
///
/// Shape:  borrows the order's texts; neither may move or go before the fork. Setup and namespaces
///         are for a child that is a copy of this process.
class NativePreparation {
 public:
  /// Without root the child is mapped in a user namespace of its own: to the same ids in the one
  /// above, or to that one's root.
  NativePreparation(const LaunchOrder& order, const Identity& owner, bool launcher_is_root,
                    bool is_root_above);
  NativePreparation(const NativePreparation&) = delete;
  NativePreparation& operator=(const NativePreparation&) = delete;

  /// The child gets a copy of a template of this order's root; a scratch directory on a disk is
  /// handed in as init_fd_scratch_tree.
  void build_on_template(bool scratch_is_handed_in);

  /// The child enters a network with a loopback interface that is up, and makes none. What it has
  /// no privilege to set there was set.
  void build_in_network();

  /// The child makes its root in this directory, whose text the caller keeps.
  void build_on_disk(const std::string& directory) { setup_.disk_root = directory.c_str(); }

  /// A disk did not answer: the child shows those that have a carrier, and makes none.
  void make_no_carriers() { setup_.makes_carriers = false; }

  const bare::NativeSetup& setup() const { return setup_; }
  std::uint64_t new_namespaces() const { return new_namespaces_; }

 private:
  const char* kept(std::string text) { return texts_.emplace_back(std::move(text)).c_str(); }
  std::string memory_options(const FileStep& step, const Identity& owner) const;

  std::deque<std::string> texts_;
  std::vector<bare::PreparedStep> steps_;
  bare::NativeSetup setup_;
  std::uint64_t new_namespaces_ = 0;
};

/// What a script reads: its standard input, and its own text where that is too long for an
/// argument.
struct TaskInputs {
  UniqueFd standard_input, long_script;
};

/// What exists before the run and its first process joins or starts in; borrowed.
struct RunPlace {
  int user_namespace_fd = -1, network_namespace_fd = -1;  ///< -1 = none
  bool network_is_ready = false;                          ///< it has no way out, and was made ahead
  const RootTemplate* root = nullptr;
  const ParentNamespaces* parents = nullptr;  ///< without root: what the rest of it is below
  std::uint64_t mounts_generation = 0;        ///< of the host's, as of now
  bool makes_carriers = true;                 ///< all disks of the host answer, as far as is known
};

/// Everything of one run that exists before its fork: afterwards the child only walks it.
///
/// Shape:  moving it keeps the pointers of launch() valid for as long as it lives.
struct RunPreparation {
  RunStreams streams;
  std::string block_memory;  ///< where init is no program of its own: the child has a copy of it
  std::unique_ptr<NativePreparation> native;
  UniqueFd block, wrapper_messages;
  std::vector<UniqueFd> wrapper_files;
  std::vector<int> wrapper_file_fds;
  TaskInputs inputs;
  UniqueFd scratch_tree;  ///< for a run that starts in a copy of a template
  UniqueFd proc;          ///< the host's /proc, for a run that shows it
  /// Where a process below the parent namespaces finds that directory, which it then makes the
  /// mount of; empty = none is wanted of it.
  std::string scratch_in_parent_mounts;
  std::pair<UniqueFd, UniqueFd> control, barrier;       ///< first: ours, second: init's
  std::vector<std::string> wrapper;                     ///< the whole command line; empty = none
  std::optional<NsjailDirectories> nsjail_directories;  ///< until the run's root is built
  std::vector<const char*> wrapper_pointers;
  Identity owner;
  bool change_identity = false;
  std::shared_ptr<const DiskRoot> disk_root;  ///< of a run whose root is on a disk
  std::string scratch_name;                   ///< in the scratch area; empty = none
  std::optional<kernel::CgroupLeaf> leaf;     ///< where the first process starts

  bare::InitLaunch launch(const LauncherState& state, const RunPlace& place);
  /// The child has its own copies from the fork on.
  void close_childs_ends();
};

/// Makes files, sockets and, last, the scratch directory. On failure nothing is left. A run that
/// awaits its task has no streams yet.
SetupResult<RunPreparation> prepare_run(const LaunchOrder& order, RunStreams streams,
                                        const LauncherState& state, Task task,
                                        const RunPlace& place);

/// `/dev/stdout` and its kin open the pipe anew, for which the script's user must own it. Only a
/// pipe: anything else, such as /dev/null, belongs to others too.
void give_streams(const RunStreams& streams, const Identity& owner);

/// Gives a prepared run, which waits behind `barrier`, what to execute.
SetupResult<void> send_task(int barrier, const LaunchOrder& order, const RunStreams& streams);

}  // namespace satellite::sandbox
