#pragma once

#include "sandbox/launcher/bare/init_block.hpp"
#include "sandbox/launcher/bare/setup_attempt.hpp"

namespace satellite::sandbox::bare {

/// A file that a process may write unless Landlock forbids it: its threads' names, which the kernel
/// opens to the process itself whoever owns the file. That of /proc/self belongs to root while the
/// process cannot be dumped, and would be refused anyway.
inline constexpr const char* landlock_trial_file = "/proc/thread-self/comm";

// What a process of a run gives up irreversibly. Same rules as script_child.cpp. Each is fatal on
// failure.

/// Changes the ids irreversibly. Groups are dropped first: that takes the privilege itself.
/// CAP_NET_RAW stays in the bounding set: on the host's own mounts, which honour file capabilities,
/// ping(8) could not even be executed without it. no_new_privs keeps the script from gaining it.
void change_identity(const Attempt& attempt, std::uint32_t uid, std::uint32_t gid);

/// The script's user alone from now on, where init also has one of its own (PlannedRun::init_uid).
void leave_user_of_init(const Attempt& attempt, const InitBlock& block);

/// No capability in any set, none to be gained by a user id 0 or by a file, and the switches for
/// that locked.
void lock_capability_rules(const Attempt& attempt);
void drop_capabilities(const Attempt& attempt);

/// A session keyring that no other run shares. A kernel without keyrings has nothing to share.
void take_session_keyring(const Attempt& attempt);

/// Writes one text into one file, whole. The result is that of the call that failed, or >= 0.
long write_file(const char* path, const char* text);
/// The same for a path below /proc, where `proc` is a descriptor of that, or -1.
long write_proc_file(int proc, const char* path, const char* text);

/// The three files that map ids into a user namespace, in the order in which they are written.
inline constexpr const char* id_map_files[] = {"/proc/self/setgroups", "/proc/self/uid_map",
                                               "/proc/self/gid_map"};
struct IdMaps {
  const char* uid = nullptr;
  const char* gid = nullptr;
};
struct IdMapResult {
  long result = 0;  ///< negative: the errno of the write to `file`
  int file = 0;     ///< index into id_map_files
};

/// Denies setgroups(2) and writes both maps of the caller's user namespace. The files belong to the
/// caller only while it is dumpable (prctl(2)). `proc` as above.
IdMapResult write_id_maps(const IdMaps& maps, int proc = -1);
/// The same as a step of a set-up.
void write_id_maps(const Attempt& attempt, const IdMaps& maps, int proc = -1);

/// One user namespace deeper, with single-line maps; the caller keeps no capability outside it.
void enter_nested_user_namespace(const Attempt& attempt, const IdMaps& maps, int proc);

/// Makes the kernel prefer this process and its children when it runs out of memory
/// (oom_score_adj). Works for root and for a dumpable process; a failure is ignored because no
/// layer depends on it. Never call it in a process that shares memory (CLONE_VM): the kernel
/// applies the value to every process with that memory.
void prefer_for_oom_kill(int proc = -1);

/// From here on no signal of this process and of those that it starts reaches any other; it makes
/// sure of that by its parent, whom it could signal before. kill(2) of -1 is then the end of its
/// descendants and of nobody else, at once, however fast they fork.
/// Source: landlock(7), LANDLOCK_SCOPE_SIGNAL, Linux 6.12.
void keep_signals_below(const Attempt& attempt);

/// What is in force, of what no file tells.
struct LandlockInForce {
  std::uint32_t abi = 0;  ///< 0 = none
  /// 1 = `init` could be signalled before, and cannot any more; or it has a user of its own, and
  /// cannot be signalled.
  std::uint32_t keeps_signals = 0;
};

/// Landlock: the second layer on files, and the scope of abstract sockets and signals. Opens a file
/// afterwards that only Landlock forbids; if that succeeds the set-up fails, and so it does where
/// block.sees_processes and signals are not kept.
LandlockInForce restrict_by_landlock(const Attempt& attempt, const InitBlock& block, long init);

/// Comes last, because it refuses calls that the steps before it need.
void install_seccomp_filter(const Attempt& attempt, int index, const void* program,
                            std::uint32_t length);

}  // namespace satellite::sandbox::bare
