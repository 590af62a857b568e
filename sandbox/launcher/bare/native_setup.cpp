// Runs between clone and the start of init: raw system calls over prepared values, no libc.
#include "sandbox/launcher/bare/native_setup.hpp"

#include "sandbox/launcher/bare/hardening.hpp"
#include "sandbox/launcher/bare/rootfs.hpp"

#include <asm/poll.h>
#include <linux/if.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <linux/time_types.h>

namespace satellite::sandbox::bare {
namespace {

constexpr long signal_kill = 9;
constexpr long family_internet = 2, type_datagram = 2, close_on_exec = 02000000;

/// We die with the launcher. It may have died before we asked for that, which only its closed end
/// of the socket tells: in a new pid namespace the parent's number is always 0.
void die_with_launcher(int control) {
  call(__NR_prctl, PR_SET_PDEATHSIG, signal_kill, 0, 0, 0);
  struct {
    int fd;
    short events, seen;
  } watched{control, 0, 0};
  const __kernel_timespec at_once{0, 0};
  call(__NR_ppoll, address(&watched), 1, address(&at_once), 0, 0);
  if ((watched.seen & POLLHUP) != 0) call(__NR_exit_group, 1);
}

void join_namespaces(const Attempt& attempt, const InitLaunch& launch) {
  // Where another user namespace owns the network we were born inside.
  if (launch.join_network_namespace_fd < 0 || launch.join_user_namespace_fd >= 0) return;
  attempt.must(SetupStep::join_namespace, 1, __NR_setns, launch.join_network_namespace_fd,
               CLONE_NEWNET);
}

void map_identity(const Attempt& attempt, const NativeSetup& setup) {
  call(__NR_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
  const char* const files[] = {"/proc/self/setgroups", "/proc/self/uid_map", "/proc/self/gid_map"};
  const char* const texts[] = {"deny", setup.uid_map, setup.gid_map};
  for (int i = 0; i < 3; ++i) {
    attempt.must(SetupStep::identity_map, i, __NR_getpid);
    const long written = write_file(files[i], texts[i]);
    if (written < 0) attempt.give_up(SetupStep::identity_map, i, written);
  }
  call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void raise_loopback(const Attempt& attempt) {
  const long socket = attempt.must(SetupStep::loopback, 0, __NR_socket, family_internet,
                                   type_datagram | close_on_exec, 0);
  struct {
    char name[IFNAMSIZ] = "lo";
    short flags = IFF_UP;
    char rest[22] = {};
  } request;
  attempt.must(SetupStep::loopback, 1, __NR_ioctl, socket, SIOCSIFFLAGS, address(&request));
  call(__NR_close, socket);
}

/// For good: the capabilities go with the ids, and then even the attempt to return must fail.
void become_the_scripts_user(const Attempt& attempt, const NativeSetup& setup) {
  constexpr long error_not_permitted = -1;  // EPERM
  lock_capability_rules(attempt);
  if (setup.change_identity) {
    attempt.must(SetupStep::groups, 0, __NR_setgroups, 0, 0);
    attempt.must(SetupStep::group_id, 0, __NR_setresgid, setup.gid, setup.gid, setup.gid);
    attempt.must(SetupStep::user_id, 0, __NR_setresuid, setup.uid, setup.uid, setup.uid);
  }
  drop_capabilities(attempt);
  if (setup.change_identity) {
    const long back = attempt.may(SetupStep::confirm_identity, 0, __NR_setresuid, 0, 0, 0);
    if (back != error_not_permitted) attempt.give_up(SetupStep::confirm_identity, 0, back);
  }
  attempt.must(SetupStep::no_new_privileges, 0, __NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0);
  call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace

void set_up_native(const InitLaunch& launch, const NativeSetup& setup) {
  const int control = launch.fds[init_fd_control];
  const Attempt attempt(setup.fault, control);
  die_with_launcher(control);
  call(__NR_umask, 0);  // the modes of the plan are meant as they are
  join_namespaces(attempt, launch);
  if (setup.own_user) map_identity(attempt, setup);
  if (setup.raises_loopback) raise_loopback(attempt);
  build_file_view(attempt, setup);
  take_session_keyring(attempt);
  become_the_scripts_user(attempt, setup);
  die_with_launcher(control);  // the change of ids cleared it
}

}  // namespace satellite::sandbox::bare
