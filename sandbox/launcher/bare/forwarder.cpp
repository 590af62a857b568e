// A process of its own, a child of the launcher. A child of it, the binder, enters the run's
// network and binds the ports there; the forwarder itself never leaves the host's network. It has
// the scripts' user, no capability and a list of system calls, before it takes the first
// connection. Same rules as script_child.cpp: no libc, no allocation; compiled into the agent and,
// freestanding, into the forwarder program, since to copy the launcher would cost more than all
// that is done here.
#include "sandbox/launcher/bare/forwarder.hpp"

#include "sandbox/launcher/bare/clone_on_stack.hpp"
#include "sandbox/launcher/bare/forwarded_connection.hpp"
#include "sandbox/launcher/bare/loopback.hpp"
#include "sandbox/launcher/bare/raw_syscall.hpp"
#include "sandbox/launcher/bare/socket_message.hpp"

#include <asm/errno.h>
#include <asm/signal.h>
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/time.h>

namespace satellite::sandbox::bare {
namespace {

constexpr int connections_max = 64, places_max = 2 * forwarder_ports_max, events_max = 64;
constexpr long waiting_max = 128, look_milliseconds = 50;
constexpr std::uint64_t no_connection = ~0ULL;

[[noreturn]] void end(int code) {
  for (;;) call(__NR_exit_group, code);
}

struct Networks {
  int network = -1, user = -1;
};

/// The launcher's end of the socket is the end of this process.
Networks receive(int socket, ForwarderTask& task) {
  iovec vector{&task, sizeof(task)};
  Rights<2> rights;
  MessageHead head{nullptr, 0, &vector, 1, &rights, sizeof(rights), 0};
  long got = -EINTR;
  while (got == -EINTR) got = call(__NR_recvmsg, socket, address(&head), msg_cmsg_cloexec);
  const bool is_task = got == static_cast<long>(sizeof(task)) &&
                       task.magic == forwarder_task_magic && rights.count() > 0 && !head.is_cut();
  const bool is_sound = is_task && task.port_count > 0 && task.port_count <= forwarder_ports_max &&
                        task.filter_length > 0 && task.filter_length <= forwarder_filter_max;
  if (!is_sound) end(1);
  return {rights.descriptors[0], rights.count() == 2 ? rights.descriptors[1] : -1};
}

/// 127.0.0.1 or ::1 with the port, for bind(2) and connect(2).
struct LoopbackAddress {
  sockaddr_in four{};
  sockaddr_in6 six{};
  bool is_six;

  explicit LoopbackAddress(const Place& place) : is_six(place.family == family_ipv6) {
    four.sin_family = family_ipv4;
    four.sin_port = six.sin6_port = __builtin_bswap16(place.port);
    four.sin_addr.s_addr = __builtin_bswap32(INADDR_LOOPBACK);
    six.sin6_family = family_ipv6;
    six.sin6_addr.in6_u.u6_addr8[15] = 1;
  }
  long get() const { return is_six ? address(&six) : address(&four); }
  long size() const { return is_six ? sizeof(six) : sizeof(four); }
};

/// With buffers that do not grow: they are this process's memory and not the run's, whose limits do
/// not count them. The kernel doubles the size.
long make_socket(int family) {
  const long socket = call(__NR_socket, family, socket_stream | O_CLOEXEC | O_NONBLOCK, 0);
  const int size = 64 << 10;
  constexpr int buffers[] = {SO_RCVBUF, SO_SNDBUF};
  for (const int buffer : buffers) {
    call(__NR_setsockopt, socket, SOL_SOCKET, buffer, address(&size), sizeof(size));
  }
  return socket;
}

long bound_socket(const Place& place) {
  const LoopbackAddress where(place);
  const long socket = make_socket(place.family);
  const int yes = 1;
  call(__NR_setsockopt, socket, SOL_SOCKET, SO_REUSEADDR, address(&yes), sizeof(yes));
  const long bound = call(__NR_bind, socket, where.get(), where.size());
  if (bound >= 0) return socket;
  call(__NR_close, socket);
  return bound;
}

/// In a network without IPv6 its loopback gets ::1 back, and nothing else does.
void allow_loopback_ipv6() {
  const long file = call(__NR_openat, AT_FDCWD, address("/proc/sys/net/ipv6/conf/lo/disable_ipv6"),
                         O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  call(__NR_write, file, address("0"), 1);
  call(__NR_close, file);
}

struct Listener {
  long socket = -1;
  bool listens = false;
};

/// What the binder is asked for and what it answers, in memory that it shares with the forwarder.
struct Binding {
  Networks of;
  const ForwarderTask& task;
  Place* places;
  Listener* listeners;
  int count = 0;
  bool is_complete = false;  ///< but for ::1, which may be missing
};

/// The life of the binder, with the forwarder's memory and descriptors, while that one waits.
void bind_inside(const void* passed) {
  auto& binding = *static_cast<Binding*>(const_cast<void*>(passed));
  call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  const Networks& of = binding.of;
  if (of.user >= 0 && call(__NR_setns, of.user, CLONE_NEWUSER) != 0) end(1);
  if (call(__NR_setns, of.network, CLONE_NEWNET) != 0) end(1);
  allow_loopback_ipv6();
  constexpr int families[] = {family_ipv4, family_ipv6};
  for (std::uint32_t i = 0; i < binding.task.port_count; ++i) {
    for (const int family : families) {
      const Place place{family, binding.task.ports[i]};
      const long socket = bound_socket(place);
      if (socket < 0 && family == family_ipv6) continue;
      if (socket < 0) end(1);
      binding.places[binding.count] = place;
      binding.listeners[binding.count] = {socket, false};
      ++binding.count;
    }
  }
  binding.is_complete = true;
  end(0);
}

alignas(16) char binder_stack[16U << 10U];

/// Returns how many there are.
int listen_inside(const ForwarderTask& task, const Networks& of, Place* places,
                  Listener* listeners) {
  Binding binding{of, task, places, listeners};
  const long binder =
      clone_on_stack(__NR_clone, CLONE_VM | CLONE_FILES | SIGCHLD,
                     address(binder_stack + sizeof(binder_stack)), bind_inside, &binding);
  if (binder < 0) end(1);
  long waited = -EINTR;
  while (waited == -EINTR) waited = call(__NR_wait4, binder, 0, 0, 0);
  if (waited != binder || !binding.is_complete) end(1);
  return binding.count;
}

void give_up_rights(const ForwarderTask& task) {
  if (task.changes_identity != 0) {
    const long own = task.own_uid != 0 ? task.own_uid : task.uid;
    const bool changed = call(__NR_setgroups, 0, 0) == 0 &&
                         call(__NR_setresgid, task.gid, task.gid, task.gid) == 0 &&
                         call(__NR_setresuid, own, task.uid, own) == 0;
    if (!changed) end(1);
  }
  // The change of ids cleared it, and the launcher may have died meanwhile.
  if (call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) end(1);
  if (call(__NR_getppid) != task.launcher) end(1);
  // setns(2) by a process with the same memory may have made this one dumpable.
  call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (call(__NR_capset, address(&head), address(none)) != 0) end(1);
  if (call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) end(1);
  const struct {
    unsigned short length;
    const void* program;
  } filter{static_cast<unsigned short>(task.filter_length), task.filter};
  if (call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, address(&filter)) != 0) end(1);
}

long now_milliseconds() {
  __kernel_timespec time{};
  call(__NR_clock_gettime, CLOCK_MONOTONIC, address(&time));
  return static_cast<long>(time.tv_sec * 1'000 + time.tv_nsec / 1'000'000);
}

struct Forwarder {
  Place places[places_max];
  Listener listeners[places_max];
  int count = 0;
  ForwardedConnection connections[connections_max];
  int carried = 0;
  HostListeners host{-1};
  long events = -1;
  long next_look = 0;

  void watch(long operation, long socket, std::uint64_t of, std::uint32_t what) const {
    epoll_event event{};
    event.events = what | EPOLLET;
    event.data = of;
    call(__NR_epoll_ctl, events, operation, socket, address(&event));
  }

  bool follow_host() {
    bool wanted[places_max];
    if (!host.look(places, wanted, count)) return false;
    for (int i = 0; i < count; ++i) {
      Listener& listener = listeners[i];
      if (wanted[i] == listener.listens) continue;
      // A socket that listens no more stays bound and can listen again; who waits in it is reset.
      if (wanted[i]) {
        listener.listens = call(__NR_listen, listener.socket, waiting_max) == 0;
        // It counts as ready for ever until then, which epoll told already.
        watch(EPOLL_CTL_MOD, listener.socket, no_connection, EPOLLIN);
      } else {
        call(__NR_shutdown, listener.socket, shut_reading);
        listener.listens = false;
      }
    }
    next_look = now_milliseconds() + look_milliseconds;
    return true;
  }

  void forward(const Place& place, int inner) {
    int slot = 0;
    while (connections[slot].state() != ForwardedConnection::State::free) ++slot;
    ForwardedConnection& one = connections[slot];
    const LoopbackAddress where(place);
    const long outer = make_socket(place.family);
    const long connected = outer < 0 ? outer : call(__NR_connect, outer, where.get(), where.size());
    if (!one.begin(inner, static_cast<int>(outer))) return;
    if (connected < 0 && connected != -EINPROGRESS) {
      one.reset();
      return one.close();
    }
    ++carried;
    constexpr std::uint32_t all = EPOLLIN | EPOLLOUT | EPOLLRDHUP;
    watch(EPOLL_CTL_ADD, one.inner(), static_cast<std::uint64_t>(slot), all);
    watch(EPOLL_CTL_ADD, one.outer(), static_cast<std::uint64_t>(slot), all);
    one.forward();
  }

  void take_all(int number) {
    while (listeners[number].listens && carried < connections_max) {
      const long inner = call(__NR_accept4, listeners[number].socket, 0, 0, O_CLOEXEC | O_NONBLOCK);
      if (inner < 0) return;
      forward(places[number], static_cast<int>(inner));
    }
  }

  void free_what_is_over() {
    for (ForwardedConnection& one : connections) {
      if (one.state() != ForwardedConnection::State::over) continue;
      one.close();
      --carried;
    }
  }

  [[noreturn]] void serve() {
    epoll_event seen[events_max];
    for (;;) {
      const long number =
          call(__NR_epoll_pwait, events, address(seen), events_max, look_milliseconds, 0, 0);
      for (long i = 0; i < number; ++i) {
        if (seen[i].data == no_connection) continue;
        ForwardedConnection& one = connections[seen[i].data];
        if (one.state() == ForwardedConnection::State::going_on) one.forward();
      }
      free_what_is_over();
      const bool is_quiet = number <= 0;
      if ((is_quiet || now_milliseconds() >= next_look) && !follow_host()) end(1);
      for (int i = 0; i < count; ++i) take_all(i);
    }
  }
};

// Too large for a stack, and there is one in a process. Nobody would run a constructor.
constinit ForwarderTask task;
constinit Forwarder forwarder;

}  // namespace

void run_forwarder(int socket) {
  call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  call(__NR_prctl, PR_SET_NAME, address("csat-forwarder"));
  const unsigned long all = ~0UL;  // also that of a peer that is gone
  call(__NR_rt_sigprocmask, SIG_SETMASK, address(&all), 0, sizeof(all));
  const Networks of = receive(socket, task);
  forwarder.count = listen_inside(task, of, forwarder.places, forwarder.listeners);
  call(__NR_close, of.network);
  if (of.user >= 0) call(__NR_close, of.user);
  const long diagnosis = HostListeners::open();
  forwarder.events = call(__NR_epoll_create1, O_CLOEXEC);
  if (diagnosis < 0 || forwarder.events < 0) end(1);
  forwarder.host = HostListeners(static_cast<int>(diagnosis));
  for (int i = 0; i < forwarder.count; ++i) {
    forwarder.watch(EPOLL_CTL_ADD, forwarder.listeners[i].socket, no_connection, EPOLLIN);
  }
  give_up_rights(task);
  if (!forwarder.follow_host()) end(1);
  if (call(__NR_write, socket, address("1"), 1) != 1) end(1);
  forwarder.serve();
}

}  // namespace satellite::sandbox::bare
