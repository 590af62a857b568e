#pragma once

#include <cstddef>
#include <cstdint>

// What launcher, init and script child say to each other. Included by the freestanding init
// program: plain structs and enums only, no library types.

namespace satellite::sandbox {

/// Where a setup can fail. The number travels from the child to the report; names: setup_steps.cpp.
enum class SetupStep : std::uint32_t {
  none = 0,
  decode_order,
  scratch_directory,
  standard_input,
  prepare,
  fork,
  descriptors,
  groups,
  group_id,
  user_id,
  confirm_identity,
  exec_wrapper,
  wrapper,
  map_block,
  subreaper,
  signals,
  fork_script,
  new_session,
  standard_streams,
  limit,
  no_new_privileges,
  working_directory,
  find_command,
  exec,
  namespaces,
  identity_map,
  mount,
  join_namespace,
  loopback,
  private_mounts,
  new_root,
  file_step,
  seal_root,
  pivot_root,
  detach_host,
  session_keyring,
  capabilities,
  nested_user_namespace,
  landlock,
  seccomp,
  network_namespace,
  network_ipv6,
  network_loopback,
  network_filter,
  network_filter_check,
  network_uplink,
  network_address,
  network_route,
  network_slirp4netns,
  control_group,
  receive_task,
  exec_init,
  network_forwarder,
  disk,
  last = disk,
};

/// Whether steps can be made to fail at all: a released program (NDEBUG) cannot, and refuses an
/// order that asks for it.
#ifdef NDEBUG
inline constexpr bool has_fault_injection = false;
#else
inline constexpr bool has_fault_injection = true;
#endif

/// A step that is made to fail instead of being done: how tests find out what a failure leaves
/// behind. It comes only with a launch order, which nothing but our own code writes, never from
/// the wire or the configuration; and all it can do is to keep a script from running.
struct Fault {
  SetupStep step = SetupStep::none;
  std::int32_t index = -1;        ///< -1 = whichever
  std::int32_t error_number = 0;  ///< 1 to 4095: a step that "fails" with 0 would count as done

  constexpr bool is_none() const {
    return step == SetupStep::none && index == -1 && error_number == 0;
  }
  constexpr bool is_sound() const {
    if (is_none()) return true;
    return has_fault_injection && step != SetupStep::none && error_number > 0 &&
           error_number <= 4'095;
  }
  constexpr bool hits(SetupStep at, int number = -1) const {
    return has_fault_injection && error_number > 0 && step == at && (index < 0 || index == number);
  }
};

/// Descriptor numbers that the init of a run starts with; the wrapper passes them through.
enum InitFd : int {
  init_fd_block = 3,    ///< InitBlock, a sealed memory file
  init_fd_control = 4,  ///< InitCommand in, InitReport out
  init_fd_barrier = 5,  ///< the script's: InitReport out, one byte in
  init_fd_standard_input = 6,
  init_fd_standard_output = 7,
  init_fd_standard_error = 8,
  /// Open only when the script is too long for one argument, or is a module: its task.
  init_fd_long_script = 9,
  init_fd_program = 10,  ///< the init program itself, for whoever is to execute it
  init_fd_answer = 11,   ///< open only when the script is a module
  /// The host's /proc, of a run that has it instead of its own: what a process writes about itself
  /// goes there, since the run shows it read-only. And of one without root that makes its network,
  /// whose settings old kernels take only by that way.
  init_fd_proc = 12,
  init_fd_end = 13,
  /// Of a native run that starts in a copy of a template: its scratch directory as a detached
  /// mount.
  init_fd_scratch_tree = init_fd_end,
};

/// Behind them, from init_fd_end on, while a wrapper builds the run's view: the files that it is to
/// put there. It closes each when it has read it.
constexpr int wrapper_files_max = 16;

/// Descriptors of the script while it waits at the barrier; the barrier closes at exec.
enum ScriptFd : int {
  script_fd_long_script = 3,
  script_fd_answer = 4,
  script_fd_barrier = 5,
  script_fd_filtered = 6,
  script_fd_proc = 7  ///< until its user namespace has its maps
};

enum class InitReportKind : std::uint32_t { armed = 1, failed = 2, ended = 3, ready = 4 };

/// What a prepared run, which said that it is ready, gets through its barrier after the byte that
/// says that it was measured: an InitBlock of which only command, environment and directory count,
/// the three standard streams, the script's text where that is too long for one argument, and a
/// module's task and answer, all as descriptors.
struct TaskMessage {
  std::uint32_t magic = 0;
  std::uint32_t has_long_script = 0;  ///< or a module's task
  std::uint32_t has_answer = 0;
};
constexpr std::uint32_t task_magic = 0x4353544b;  // "CSTK"
constexpr int task_descriptors = 4, task_descriptors_max = 6;

struct InitReport {
  InitReportKind kind = InitReportKind::failed;
  SetupStep step = SetupStep::none;
  std::int32_t index = 0;
  std::int32_t error_number = 0;
  std::int32_t wait_status = 0;
  std::uint32_t keeps_signals = 0;  ///< armed, ready: no signal of the script reaches init
  std::uint64_t user_microseconds = 0;
  std::uint64_t system_microseconds = 0;
  std::uint64_t resident_max_kibibytes = 0;
};

enum class InitCommand : std::uint32_t { terminate = 1, kill = 2 };

struct InitLimit {
  std::uint32_t resource = 0;    ///< RLIMIT_*
  std::uint32_t soft_alone = 0;  ///< 1 = the hard limit stays
  std::uint64_t value = 0;       ///< soft and hard, unless the hard limit is lower already
};

/// The set-up of a native run, which its init does (native_setup.hpp).
struct NativeBlock {
  std::uint32_t is_wanted = 0;
  std::uint32_t confined = 0;  ///< a root of its own
  std::uint32_t own_user = 0;  ///< in a user namespace of its own, with these maps
  std::uint32_t uid_map = 0, gid_map = 0;
  std::uint32_t raises_loopback = 0;
  std::uint32_t change_identity = 0;
  std::uint32_t in_template = 0;  ///< it starts in a copy of its root
  std::uint32_t steps = 0, step_count = 0, root_step_count = 0;
  std::uint32_t disk_root = 0;        ///< an empty directory of the host that becomes the root
  std::uint32_t makes_carriers = 0;   ///< may make directories on disks of the host
  std::uint32_t shows_processes = 0;  ///< the host's /proc, and no pid namespace
  std::uint32_t init_uid = 0;         ///< PlannedRun::init_uid
};

constexpr std::uint32_t init_block_magic = 0x43534942;  // "CSIB"
constexpr std::uint32_t init_block_version = 11;
constexpr std::size_t init_limits_max = 8;

/// Head of the block; strings follow. Offsets count from the start of the block, 0 = absent.
///
/// The arrays at `arguments` and `environment` hold 64-bit offsets and end with a 0: init maps the
/// block privately and turns each offset into a pointer where it stands, so nothing is allocated.
struct InitBlock {
  std::uint32_t magic = init_block_magic;
  std::uint32_t version = init_block_version;
  std::uint64_t size = 0;
  std::uint32_t arguments = 0;
  std::uint32_t environment = 0;
  std::uint32_t working_directory = 0;
  std::uint32_t search_path = 0;
  std::uint32_t own_pid_namespace = 0;
  std::uint32_t change_identity = 0;  ///< by the script child; with a wrapper it happened before
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t dumpable_at_barrier = 0;
  std::uint32_t confined = 0;  ///< nothing can be gained by executing a set-user-id file; no dumps
  std::uint32_t limit_count = 0;
  InitLimit limits[init_limits_max];
  Fault fault;
  std::uint32_t sheds_capabilities = 0;  ///< the native engine's; a wrapper does it itself
  /// The script gets a user namespace below the run's own, so that it owns nothing of what confines
  /// it; the texts are its maps.
  std::uint32_t nested_user_namespace = 0;
  std::uint32_t uid_map = 0, gid_map = 0;
  std::uint32_t seccomp_program = 0, seccomp_length = 0;  ///< in instructions
  std::uint32_t init_seccomp_program = 0, init_seccomp_length = 0;
  std::uint32_t landlock_abi = 0;  ///< 0 = this kernel has none
  /// Paths that stay writable, one text after the other; without any, only the scopes apply.
  std::uint32_t landlock_paths = 0, landlock_path_count = 0;
  /// Paths that may be read, and after an `x` executed, one text after the other: an `r` or `x`,
  /// then the path. Without any, everything may. One that is not there is left out.
  std::uint32_t landlock_readable = 0, landlock_readable_count = 0;
  /// Places of the host's file systems that are shown without content, one text after the other;
  /// where there are any, Landlock lets nobody list the root, since that would let him list them.
  std::uint32_t disks = 0, disk_count = 0;
  /// nsjail's is mounted so, and the host's, which answers before Landlock.
  std::uint32_t proc_is_read_only = 0;
  /// The run sees the host's processes: init and script have Landlock's scope of signals, tried.
  std::uint32_t sees_processes = 0;
  /// A prepared run: what to execute comes later, through the barrier.
  std::uint32_t waits_for_task = 0;
  /// Init stays until the launcher has reported the end, since taking its namespaces down takes the
  /// kernel longer than the report may wait; or until the run's state was packed.
  std::uint32_t stays_until_released = 0;
  /// Nobody between the launcher and init can have ignored a signal.
  std::uint32_t signals_are_default = 0;
  NativeBlock native;
};

}  // namespace satellite::sandbox
