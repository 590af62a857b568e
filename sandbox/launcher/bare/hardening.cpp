// Same rules as script_child.cpp: no libc, no allocation; compiled into the agent and,
// freestanding, into the init program.
#include "sandbox/launcher/bare/hardening.hpp"

#include <asm/errno.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>

namespace satellite::sandbox::bare {
namespace {

constexpr long capability_max = 63;

// Keeping capabilities over a change of ids is left unlocked: ping(8) of iputils asks for it and
// ends where it may not. With every set empty there is nothing to keep.
constexpr long locked_securebits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                   SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                                   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

// linux/landlock.h of Debian 12 ends at the second version of the interface.
constexpr std::uint64_t landlock_execute = 1U << 0U, landlock_read_file = 1U << 2U,
                        landlock_read_directory = 1U << 3U, landlock_make_character = 1U << 6U,
                        landlock_make_block = 1U << 11U, landlock_refer = 1U << 13U,
                        landlock_truncate = 1U << 14U, landlock_device_ioctl = 1U << 15U;
constexpr std::uint64_t landlock_scope_signals = 1U << 1U,
                        landlock_scopes = (1U << 0U) | landlock_scope_signals;  // abstract sockets
constexpr std::uint32_t landlock_abi_refer = 2, landlock_abi_truncate = 3,
                        landlock_abi_device_ioctl = 5, landlock_abi_scopes = 6;
constexpr long landlock_path_beneath = 1;
// The kernel tells the versions of landlock_ruleset_attr apart by the size that is passed.
constexpr long ruleset_size_files = 8, ruleset_size_scopes = 24;

struct Ruleset {
  std::uint64_t files = 0, network = 0, scopes = 0;
};
struct [[gnu::packed]] PathRule {
  std::uint64_t allowed = 0;
  std::int32_t directory = -1;
};

std::uint64_t handled_files(std::uint32_t abi) {
  std::uint64_t handled = landlock_refer * 2 - 1;
  if (abi >= landlock_abi_truncate) handled |= landlock_truncate;
  if (abi >= landlock_abi_device_ioctl) handled |= landlock_device_ioctl;
  return handled;
}

void allow_beneath(const Attempt& attempt, long ruleset, const char* path, std::uint64_t allowed,
                   int index) {
  constexpr long as_path = O_PATH | O_CLOEXEC;
  PathRule rule;
  rule.allowed = allowed;
  rule.directory = static_cast<std::int32_t>(
      attempt.must(SetupStep::landlock, index, __NR_openat, AT_FDCWD, address(path), as_path));
  attempt.must(SetupStep::landlock, index, __NR_landlock_add_rule, ruleset, landlock_path_beneath,
               address(&rule), 0);
  call(__NR_close, rule.directory);
}

/// One of block.landlock_readable. A file takes no rights of directories (EINVAL).
void allow_reading(const Attempt& attempt, long ruleset, const char* entry) {
  PathRule rule;
  rule.allowed = landlock_read_file | landlock_read_directory;
  if (*entry == 'x') rule.allowed |= landlock_execute;
  constexpr long as_path = O_PATH | O_CLOEXEC;
  const long opened =
      attempt.may(SetupStep::landlock, 1, __NR_openat, AT_FDCWD, address(entry + 1), as_path);
  if (opened < 0) return;
  rule.directory = static_cast<std::int32_t>(opened);
  const auto add = [&] {
    return attempt.may(SetupStep::landlock, 1, __NR_landlock_add_rule, ruleset,
                       landlock_path_beneath, address(&rule), 0);
  };
  long added = add();
  if (added == -EINVAL) {
    rule.allowed &= ~landlock_read_directory;
    added = add();
  }
  if (added < 0) attempt.give_up(SetupStep::landlock, 1, added);
  call(__NR_close, opened);
}

/// Everything that is there; or, where the host shows more than programs and libraries, the
/// directories of that and the places that are told. With file systems that are shown without
/// content only those places: a right to list the root would be one to list them.
void allow_reading(const Attempt& attempt, long ruleset, const InitBlock& block) {
  const bool is_listed = block.landlock_readable_count != 0;
  const std::uint64_t everywhere =
      landlock_read_directory | (is_listed ? 0 : landlock_execute | landlock_read_file);
  if (block.disk_count == 0) allow_beneath(attempt, ruleset, "/", everywhere, 1);
  const char* entry = reinterpret_cast<const char*>(&block) + block.landlock_readable;
  for (std::uint32_t i = 0; i < block.landlock_readable_count; ++i) {
    allow_reading(attempt, ruleset, entry);
    while (*entry != '\0') ++entry;
    ++entry;
  }
}

/// Where all of /proc is mounted read-only, EROFS may come first and says nothing about Landlock.
void check_landlock(const Attempt& attempt, const InitBlock& block) {
  const long opened =
      call(__NR_openat, AT_FDCWD, address(landlock_trial_file), O_WRONLY | O_CLOEXEC);
  const bool kept_by_mount = block.proc_is_read_only != 0 && opened == -EROFS;
  if (opened != -EACCES && !kept_by_mount) {
    attempt.give_up(SetupStep::landlock, -1, opened);
  }
}

}  // namespace

void change_identity(const Attempt& attempt, std::uint32_t uid, std::uint32_t gid) {
  for (long capability = 0; capability <= capability_max; ++capability) {
    if (capability == CAP_NET_RAW) continue;
    if (call(__NR_prctl, PR_CAPBSET_DROP, capability) < 0) break;  // past the last one: EINVAL
  }
  call(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  attempt.must(SetupStep::groups, 0, __NR_setgroups, 0, 0);
  attempt.must(SetupStep::group_id, 0, __NR_setresgid, gid, gid, gid);
  attempt.must(SetupStep::user_id, 0, __NR_setresuid, uid, uid, uid);
  const long back = attempt.may(SetupStep::confirm_identity, 0, __NR_setresuid, 0, 0, 0);
  if (back != -EPERM) attempt.give_up(SetupStep::confirm_identity, 0, back);
}

void leave_user_of_init(const Attempt& attempt, const InitBlock& block) {
  attempt.must(SetupStep::user_id, 1, __NR_setresuid, block.uid, block.uid, block.uid);
  const std::uint32_t init = block.native.init_uid;
  const long back = attempt.may(SetupStep::confirm_identity, 1, __NR_setresuid, init, init, init);
  if (back != -EPERM) attempt.give_up(SetupStep::confirm_identity, 1, back);
}

void lock_capability_rules(const Attempt& attempt) {
  attempt.must(SetupStep::capabilities, 0, __NR_prctl, PR_SET_SECUREBITS, locked_securebits);
  for (long capability = 0; capability <= capability_max; ++capability) {
    const long dropped =
        attempt.may(SetupStep::capabilities, 1, __NR_prctl, PR_CAPBSET_DROP, capability);
    if (dropped == -EINVAL && capability > 0) break;  // past the last one
    if (dropped < 0) attempt.give_up(SetupStep::capabilities, 1, dropped);
  }
  call(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

void drop_capabilities(const Attempt& attempt) {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  attempt.must(SetupStep::capabilities, 2, __NR_capset, address(&head), address(none));
}

void take_session_keyring(const Attempt& attempt) {
  const long joined =
      attempt.may(SetupStep::session_keyring, 0, __NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0);
  // EPERM: a seccomp filter around the satellite refuses keyctl(2), for every run too.
  const bool has_none = joined == -ENOSYS || joined == -EPERM;
  if (joined < 0 && !has_none) {
    attempt.give_up(SetupStep::session_keyring, 0, joined);
  }
}

namespace {

long write_file_at(long directory, const char* path, const char* text) {
  const long fd = call(__NR_openat, directory, address(path), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return fd;
  long size = 0;
  while (text[size] != '\0') ++size;
  const long written = call(__NR_write, fd, address(text), size);
  call(__NR_close, fd);
  // Files of /proc take a text whole or not at all; a short write means that it was not taken.
  return written >= 0 && written != size ? -EIO : written;
}

}  // namespace

long write_file(const char* path, const char* text) {
  return write_file_at(AT_FDCWD, path, text);
}

long write_proc_file(int proc, const char* path, const char* text) {
  constexpr long size_of_mount_point = 6;  // "/proc/"
  return proc < 0 ? write_file(path, text) : write_file_at(proc, path + size_of_mount_point, text);
}

IdMapResult write_id_maps(const IdMaps& maps, int proc) {
  const char* const texts[] = {"deny", maps.uid, maps.gid};
  for (int i = 0; i < 3; ++i) {
    const long written = write_proc_file(proc, id_map_files[i], texts[i]);
    if (written < 0) return {written, i};
  }
  return {};
}

void write_id_maps(const Attempt& attempt, const IdMaps& maps, int proc) {
  for (int i = 0; i < 3; ++i) attempt.check_fault(SetupStep::identity_map, i);
  const IdMapResult written = write_id_maps(maps, proc);
  if (written.result < 0) attempt.give_up(SetupStep::identity_map, written.file, written.result);
}

void prefer_for_oom_kill(int proc) {
  static_cast<void>(write_proc_file(proc, "/proc/self/oom_score_adj", "1000"));
}

void enter_nested_user_namespace(const Attempt& attempt, const IdMaps& maps, int proc) {
  // The maps in /proc belong to us only while we are dumpable.
  call(__NR_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
  attempt.must(SetupStep::nested_user_namespace, 0, __NR_unshare, CLONE_NEWUSER);
  write_id_maps(attempt, maps, proc);
  call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
}

namespace {

/// What may be read, and then what may be written.
void allow_files(const Attempt& attempt, long ruleset, const InitBlock& block,
                 const Ruleset& rules) {
  allow_reading(attempt, ruleset, block);
  const char* path = reinterpret_cast<const char*>(&block) + block.landlock_paths;
  for (std::uint32_t i = 0; i < block.landlock_path_count; ++i) {
    allow_beneath(attempt, ruleset, path,
                  rules.files & ~(landlock_make_character | landlock_make_block),
                  2 + static_cast<int>(i));
    while (*path != '\0') ++path;
    ++path;
  }
}

}  // namespace

void keep_signals_below(const Attempt& attempt) {
  const long parent = call(__NR_getppid);
  attempt.must(SetupStep::landlock, -2, __NR_kill, parent, 0);
  Ruleset rules;
  rules.scopes = landlock_scope_signals;
  const long ruleset = attempt.must(SetupStep::landlock, 0, __NR_landlock_create_ruleset,
                                    address(&rules), ruleset_size_scopes, 0);
  attempt.must(SetupStep::landlock, 0, __NR_landlock_restrict_self, ruleset, 0);
  call(__NR_close, ruleset);
  const long signalled = call(__NR_kill, parent, 0);
  if (signalled != -EPERM) attempt.give_up(SetupStep::landlock, -2, signalled);
}

namespace {

/// Whether no signal of this process reaches its init: by a scope that `could_signal` before, or
/// since init has a user of its own. Fatal where it has to be so.
std::uint32_t check_signals(const Attempt& attempt, const InitBlock& block, long init,
                            bool could_signal) {
  const long signalled = call(__NR_kill, init, 0);
  const bool has_control = could_signal || block.native.init_uid != 0;
  const bool keeps_signals = has_control && signalled == -EPERM;
  if (block.sees_processes != 0 && !keeps_signals) {
    attempt.give_up(SetupStep::landlock, -2, signalled);
  }
  return keeps_signals ? 1 : 0;
}

}  // namespace

LandlockInForce restrict_by_landlock(const Attempt& attempt, const InitBlock& block, long init) {
  const bool files = block.landlock_path_count != 0 && block.landlock_abi >= landlock_abi_refer;
  const bool scopes = block.landlock_abi >= landlock_abi_scopes;
  if (block.sees_processes != 0) attempt.check_fault(SetupStep::landlock, -2);
  if (!files && !scopes) return {0, check_signals(attempt, block, init, false)};
  // Without the control a signal that does not arrive says nothing.
  const bool can_signal = scopes && call(__NR_kill, init, 0) == 0;
  Ruleset rules;
  if (files) rules.files = handled_files(block.landlock_abi);
  if (scopes) rules.scopes = landlock_scopes;
  const long ruleset =
      attempt.must(SetupStep::landlock, 0, __NR_landlock_create_ruleset, address(&rules),
                   scopes ? ruleset_size_scopes : ruleset_size_files, 0);
  if (files) allow_files(attempt, ruleset, block, rules);
  attempt.must(SetupStep::landlock, 0, __NR_landlock_restrict_self, ruleset, 0);
  call(__NR_close, ruleset);
  if (files) check_landlock(attempt, block);
  return {block.landlock_abi, check_signals(attempt, block, init, can_signal)};
}

void install_seccomp_filter(const Attempt& attempt, int index, const void* program,
                            std::uint32_t length) {
  const struct {
    unsigned short length;
    const void* program;
  } filter{static_cast<unsigned short>(length), program};
  attempt.must(SetupStep::seccomp, index, __NR_seccomp, SECCOMP_SET_MODE_FILTER, 0,
               address(&filter));
}

}  // namespace satellite::sandbox::bare
