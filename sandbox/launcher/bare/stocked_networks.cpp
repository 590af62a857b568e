// A process that borrows the launcher's memory for its whole life, a few milliseconds, while the
// launcher goes on: it writes to nothing but its own stack. A copy of the launcher would cost both
// more than the networks. Same rules as script_child.cpp: no libc, no allocation.
#include "sandbox/launcher/bare/stocked_networks.hpp"

#include "sandbox/launcher/bare/init_block.hpp"
#include "sandbox/launcher/bare/native_setup.hpp"
#include "sandbox/launcher/bare/raw_syscall.hpp"
#include "sandbox/launcher/bare/setup_attempt.hpp"
#include "sandbox/launcher/bare/socket_message.hpp"

#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>

namespace satellite::sandbox::bare {
namespace {

constexpr long answer_fd = 3;
constexpr Fault no_fault{};

[[noreturn]] void end(int code) {
  for (;;) call(__NR_exit_group, code);
}

void send_descriptor(long descriptor) {
  char made = 1;
  iovec vector{&made, 1};
  Rights<1> rights;
  rights.size = rights.size_of(1);
  rights.level = SOL_SOCKET;
  rights.type = scm_rights;
  rights.descriptors[0] = static_cast<int>(descriptor);
  MessageHead head{nullptr, 0, &vector, 1, &rights, sizeof(rights), 0};
  if (call(__NR_sendmsg, answer_fd, address(&head), msg_nosignal) != 1) end(1);
}

/// What init cannot set in a network that another user namespace owns. A kernel without IPv4 has no
/// such setting.
void let_group_ping(const char* range) {
  const long file = call(__NR_openat, AT_FDCWD, address("/proc/sys/net/ipv4/ping_group_range"),
                         O_WRONLY | O_CLOEXEC);
  if (file == -ENOENT) return;
  long size = 0;
  while (range[size] != '\0') ++size;
  if (file < 0 || call(__NR_write, file, address(range), size) != size) end(1);
  call(__NR_close, file);
}

}  // namespace

void make_networks(const NetworksWanted& wanted) {
  const bool is_inside = wanted.user_namespace >= 0;
  if (is_inside && call(__NR_setns, wanted.user_namespace, CLONE_NEWUSER) != 0) end(1);
  // setns(2) may have opened the memory that is the launcher's, too.
  call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (wanted.socket != answer_fd) call(__NR_dup3, wanted.socket, answer_fd, O_CLOEXEC);
  call(__NR_close_range, answer_fd + 1, ~0U, 0);
  const Attempt attempt(no_fault, -1);
  for (int i = 0; i < wanted.count; ++i) {
    if (call(__NR_unshare, CLONE_NEWNET) != 0) end(1);
    raise_loopback(attempt);
    if (is_inside) let_group_ping(wanted.ping_group_range);
    const long network =
        call(__NR_openat, AT_FDCWD, address("/proc/self/ns/net"), O_RDONLY | O_CLOEXEC);
    if (network < 0) end(1);
    send_descriptor(network);
    call(__NR_close, network);
  }
  end(0);
}

void begin_making_networks(const void* wanted) {
  make_networks(*static_cast<const NetworksWanted*>(wanted));
}

}  // namespace satellite::sandbox::bare
