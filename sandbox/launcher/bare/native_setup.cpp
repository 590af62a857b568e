// Runs between clone and the start of init: raw system calls over prepared values, no libc.
#include "sandbox/launcher/bare/native_setup.hpp"

#include "sandbox/launcher/bare/hardening.hpp"
#include "sandbox/launcher/bare/rootfs.hpp"

#include <asm/errno.h>
#include <asm/poll.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <linux/time_types.h>

namespace satellite::sandbox::bare {
namespace {

// In sys/socket.h and linux/if.h, both of which bring libc's headers along.
constexpr long af_inet = 2, sock_dgram = 2, sock_cloexec = O_CLOEXEC;
constexpr short iff_up = 1;
constexpr std::size_t interface_name_size = 16;  // IFNAMSIZ, with the NUL

/// Makes the kernel kill this process when the launcher dies. The launcher may be dead already; its
/// closed end of the socket shows it, while getppid(2) is always 0 in a new pid namespace.
void die_with_launcher(int control) {
  call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  struct {
    int fd;
    short events, seen;
  } watched{control, 0, 0};
  const __kernel_timespec at_once{0, 0};
  call(__NR_ppoll, address(&watched), 1, address(&at_once), 0, 0);
  if ((watched.seen & POLLHUP) != 0) call(__NR_exit_group, 1);
}

/// The files of /proc/self belong to a process without root only while it is dumpable.
void write_own_settings(const Attempt& attempt, const NativeSetup& setup) {
  const int proc = setup.shows_processes ? init_fd_proc : -1;
  if (setup.own_user) {
    call(__NR_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
    write_id_maps(attempt, {setup.uid_map, setup.gid_map}, proc);
  }
  prefer_for_oom_kill(proc);
  call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/// Changes the ids irreversibly, drops all capabilities, and checks that root cannot be regained.
void become_the_scripts_user(const Attempt& attempt, const NativeSetup& setup,
                             const InitBlock& block) {
  lock_capability_rules(attempt);
  if (setup.change_identity) {
    attempt.must(SetupStep::groups, 0, __NR_setgroups, 0, 0);
    attempt.must(SetupStep::group_id, 0, __NR_setresgid, block.gid, block.gid, block.gid);
    // A signal is allowed by the sender's real or effective user, and by the receiver's real or
    // saved one.
    const std::uint32_t own = block.native.init_uid != 0 ? block.native.init_uid : block.uid;
    attempt.must(SetupStep::user_id, 0, __NR_setresuid, own, block.uid, own);
  }
  drop_capabilities(attempt);
  if (setup.change_identity) {
    const long back = attempt.may(SetupStep::confirm_identity, 0, __NR_setresuid, 0, 0, 0);
    if (back != -EPERM) attempt.give_up(SetupStep::confirm_identity, 0, back);
  }
  attempt.must(SetupStep::no_new_privileges, 0, __NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0);
  call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace

namespace {

const char* text_at(const InitBlock& block, std::uint32_t offset) {
  return offset == 0 ? nullptr : reinterpret_cast<const char*>(&block) + offset;
}

/// False for an offset that lies outside the block.
bool find_text(const InitBlock& block, std::uint64_t& offset) {
  if (offset >= block.size) return false;
  if (offset != 0) offset = reinterpret_cast<std::uint64_t>(&block) + offset;
  return true;
}

NativeSetup setup_of(InitBlock& block) {
  const NativeBlock& native = block.native;
  auto* const steps =
      reinterpret_cast<PreparedStep*>(reinterpret_cast<char*>(&block) + native.steps);
  bool is_sound = native.steps % alignof(PreparedStep) == 0 && native.steps < block.size &&
                  native.step_count <= (block.size - native.steps) / sizeof(PreparedStep) &&
                  native.root_step_count <= native.step_count;
  for (std::uint32_t i = 0; is_sound && i < native.step_count; ++i) {
    is_sound = find_text(block, steps[i].target) && find_text(block, steps[i].source);
  }
  if (!is_sound) fail(init_fd_control, SetupStep::map_block, 0, 2);
  NativeSetup setup;
  setup.steps = steps;
  setup.step_count = static_cast<int>(native.step_count);
  setup.root_step_count = static_cast<int>(native.root_step_count);
  setup.confined = native.confined != 0;
  setup.own_user = native.own_user != 0;
  setup.in_template = native.in_template != 0;
  setup.raises_loopback = native.raises_loopback != 0;
  setup.change_identity = native.change_identity != 0;
  setup.makes_carriers = native.makes_carriers != 0;
  setup.shows_processes = native.shows_processes != 0;
  setup.uid_map = text_at(block, native.uid_map);
  setup.gid_map = text_at(block, native.gid_map);
  setup.disk_root = text_at(block, native.disk_root);
  return setup;
}

}  // namespace

void raise_loopback(const Attempt& attempt) {
  const long socket =
      attempt.must(SetupStep::loopback, 0, __NR_socket, af_inet, sock_dgram | sock_cloexec, 0);
  struct {
    char name[interface_name_size] = "lo";
    short flags = iff_up;
    char rest[22] = {};
  } request;
  attempt.must(SetupStep::loopback, 1, __NR_ioctl, socket, SIOCSIFFLAGS, address(&request));
  call(__NR_close, socket);
}

void set_up_native(InitBlock& block) {
  const Attempt attempt(block.fault, init_fd_control);
  const NativeSetup setup = setup_of(block);
  die_with_launcher(init_fd_control);
  call(__NR_umask, 0);  // the modes of the plan are meant as they are
  // A template shows no process in its /proc, not even this one.
  if (setup.in_template && !setup.shows_processes) mount_own_proc(attempt, setup);
  write_own_settings(attempt, setup);
  if (setup.raises_loopback) raise_loopback(attempt);
  if (setup.in_template) {
    complete_rootfs(attempt, setup);
  } else {
    build_rootfs(attempt, setup);
  }
  take_session_keyring(attempt);
  if (setup.shows_processes && block.native.init_uid == 0) keep_signals_below(attempt);
  become_the_scripts_user(attempt, setup, block);
  die_with_launcher(init_fd_control);  // the change of ids cleared it
}

}  // namespace satellite::sandbox::bare
