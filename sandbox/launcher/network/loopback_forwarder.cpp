// A process of its own, a child of the launcher. A child of it, the binder, enters the run's
// network and binds the ports there; the forwarder itself never leaves the host's network. It has
// the scripts' user, no capability and a list of system calls, before it takes the first
// connection.
#include "sandbox/launcher/network/loopback_forwarder.hpp"

#include "sandbox/launcher/network/carried_connection.hpp"
#include "sandbox/launcher/network/host_listeners.hpp"
#include "sandbox/planning/seccomp_filter.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <list>
#include <memory>
#include <span>
#include <utility>

namespace satellite::sandbox {
namespace {

constexpr std::size_t connections_max = 64;
constexpr int waiting_max = 128;
constexpr int look_milliseconds = 50;

struct Place {
  LoopbackFamily family = LoopbackFamily::ipv4;
  std::uint16_t port = 0;
};

struct Listener {
  Place place;
  UniqueFd socket;
  bool listens = false;
};

/// 127.0.0.1 or ::1 with the port, for bind(2) and connect(2).
class LoopbackAddress {
 public:
  explicit LoopbackAddress(const Place& place) {
    if (place.family == LoopbackFamily::ipv6) {
      six_.sin6_family = AF_INET6;
      six_.sin6_port = htons(place.port);
      six_.sin6_addr = in6addr_loopback;
    } else {
      four_.sin_family = AF_INET;
      four_.sin_port = htons(place.port);
      four_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
  }
  const sockaddr* get() const {
    return six_.sin6_family == AF_INET6 ? reinterpret_cast<const sockaddr*>(&six_)
                                        : reinterpret_cast<const sockaddr*>(&four_);
  }
  socklen_t size() const { return six_.sin6_family == AF_INET6 ? sizeof(six_) : sizeof(four_); }
  int family() const { return six_.sin6_family == AF_INET6 ? AF_INET6 : AF_INET; }

 private:
  sockaddr_in four_{};
  sockaddr_in6 six_{};
};

std::vector<Place> places_of(const std::vector<std::uint16_t>& ports) {
  std::vector<Place> places;
  for (const auto port : ports) {
    places.push_back({LoopbackFamily::ipv4, port});
    places.push_back({LoopbackFamily::ipv6, port});
  }
  return places;
}

/// With buffers that do not grow: they are this process's memory and not the run's, whose limits do
/// not count them. The kernel doubles the size.
UniqueFd make_socket(const LoopbackAddress& address) {
  UniqueFd socket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int size = 64 << 10;
  for (const int buffer : {SO_RCVBUF, SO_SNDBUF}) {
    ::setsockopt(socket.get(), SOL_SOCKET, buffer, &size, sizeof(size));
  }
  return socket;
}

UniqueFd bound_socket(const Place& place) {
  const LoopbackAddress address(place);
  UniqueFd socket = make_socket(address);
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (!socket || ::bind(socket.get(), address.get(), address.size()) != 0) return {};
  return socket;
}

/// In a network without IPv6 its loopback gets ::1 back, and nothing else does.
void allow_loopback_ipv6() {
  const UniqueFd file(::open("/proc/sys/net/ipv6/conf/lo/disable_ipv6", O_WRONLY | O_CLOEXEC));
  if (file) static_cast<void>(::write(file.get(), "0", 1));
}

/// What the binder is asked for and what it answers, in memory that it shares with the forwarder.
struct Binding {
  const NetworkNamespace& of;
  const std::vector<Place>& places;
  std::vector<Listener> listeners;
  bool is_complete = false;  ///< but for ::1, which may be missing
};

/// The life of the binder, with the forwarder's memory and descriptors, while that one waits.
int bind_inside(void* passed) {
  auto& binding = *static_cast<Binding*>(passed);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const NetworkNamespace& of = binding.of;
  if (of.user_namespace && ::setns(of.user_namespace.get(), CLONE_NEWUSER) != 0) ::_exit(1);
  if (::setns(of.network_namespace.get(), CLONE_NEWNET) != 0) ::_exit(1);
  allow_loopback_ipv6();
  for (const Place& place : binding.places) {
    UniqueFd socket = bound_socket(place);
    if (!socket && place.family == LoopbackFamily::ipv6) continue;
    if (!socket) ::_exit(1);
    binding.listeners.push_back({place, std::move(socket), false});
  }
  binding.is_complete = true;
  ::_exit(0);
}

/// Nothing where one of them cannot be bound.
std::vector<Listener> listeners_inside(const NetworkNamespace& of,
                                       const std::vector<Place>& places) {
  Binding binding{of, places, {}};
  binding.listeners.reserve(places.size());
  constexpr std::size_t stack_size = 64U << 10U;
  const auto stack = std::make_unique_for_overwrite<std::byte[]>(stack_size);
  const pid_t binder = ::clone(bind_inside, stack.get() + stack_size,
                               CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &binding);
  if (binder < 0 || ::waitpid(binder, nullptr, 0) != binder || !binding.is_complete) return {};
  // setns(2) by a process with the same memory may have made this one dumpable.
  ::prctl(PR_SET_DUMPABLE, 0);
  return std::move(binding.listeners);
}

class Forwarder {
 public:
  Forwarder(std::vector<Listener> listeners, kernel::NetlinkSocket diagnosis)
      : listeners_(std::move(listeners)),
        diagnosis_(std::move(diagnosis)),
        events_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (const auto& listener : listeners_) watch(listener.socket.get(), nullptr, EPOLLIN);
  }

  bool follow_host() {
    const auto ports = listening_ports(diagnosis_);
    if (!ports) return false;
    for (auto& listener : listeners_) {
      const bool wanted = ports->contains({listener.place.family, listener.place.port});
      if (wanted == listener.listens) continue;
      // A socket that listens no more stays bound and can listen again; who waits in it is reset.
      if (wanted) {
        listener.listens = ::listen(listener.socket.get(), waiting_max) == 0;
        // It counts as ready for ever until then, which epoll told already.
        watch_again(listener.socket.get());
      } else {
        ::shutdown(listener.socket.get(), SHUT_RD);
        listener.listens = false;
      }
    }
    next_look_ = now_milliseconds() + look_milliseconds;
    return true;
  }

  [[noreturn]] void serve() {
    std::array<epoll_event, 64> events;
    while (true) {
      const int count = ::epoll_wait(events_.get(), events.data(), static_cast<int>(events.size()),
                                     look_milliseconds);
      for (int i = 0; i < count; ++i) {
        auto* const connection =
            static_cast<Carried*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (connection != nullptr && !connection->is_over) work(*connection);
      }
      connections_.remove_if([](const Carried& one) { return one.is_over; });
      const bool is_quiet = count <= 0;
      if ((is_quiet || look_is_due()) && !follow_host()) ::_exit(1);
      for (auto& listener : listeners_) take_all(listener);
    }
  }

 private:
  struct Carried {
    CarriedConnection connection;
    bool is_over = false;
  };

  static long now_milliseconds() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000 + time.tv_nsec / 1'000'000;
  }
  bool look_is_due() const { return now_milliseconds() >= next_look_; }

  void watch(int socket, void* of, std::uint32_t what) const {
    epoll_event event{};
    event.events = what | EPOLLET;
    event.data.ptr = of;
    ::epoll_ctl(events_.get(), EPOLL_CTL_ADD, socket, &event);
  }
  void watch_again(int socket) const {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    ::epoll_ctl(events_.get(), EPOLL_CTL_MOD, socket, &event);
  }

  static void work(Carried& one) {
    one.is_over = one.connection.carry() == CarriedConnection::State::over;
  }

  void take_all(Listener& listener) {
    while (listener.listens && connections_.size() < connections_max) {
      UniqueFd inner(
          ::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!inner) return;
      carry(listener.place, std::move(inner));
    }
  }

  void carry(const Place& place, UniqueFd inner) {
    const LoopbackAddress address(place);
    UniqueFd outer = make_socket(address);
    const bool is_begun = outer && (::connect(outer.get(), address.get(), address.size()) == 0 ||
                                    errno == EINPROGRESS);
    auto made = CarriedConnection::make(std::move(inner), std::move(outer));
    if (!made) return;
    if (!is_begun) return made->reset();
    Carried& kept = connections_.emplace_back(Carried{*std::move(made)});
    constexpr std::uint32_t all = EPOLLIN | EPOLLOUT | EPOLLRDHUP;
    watch(kept.connection.inner(), &kept, all);
    watch(kept.connection.outer(), &kept, all);
    work(kept);
  }

  std::vector<Listener> listeners_;
  kernel::NetlinkSocket diagnosis_;
  UniqueFd events_;
  std::list<Carried> connections_;  ///< epoll knows them by address
  long next_look_ = 0;
};

void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned first = 0;
  for (const int fd : kept) {
    const auto number = static_cast<unsigned>(fd);
    if (number > first) ::syscall(SYS_close_range, first, number - 1, 0);
    first = number + 1;
  }
  ::syscall(SYS_close_range, first, ~0U, 0);
}

bool give_up_rights(const std::optional<Identity>& identity, std::uint32_t own_uid,
                    pid_t launcher) {
  if (identity) {
    const uid_t own = own_uid != 0 ? own_uid : identity->uid;
    const bool changed = ::setgroups(0, nullptr) == 0 &&
                         ::setresgid(identity->gid, identity->gid, identity->gid) == 0 &&
                         ::setresuid(own, identity->uid, own) == 0;
    if (!changed) return false;
  }
  // The change of ids cleared it, and the launcher may have died meanwhile.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != launcher) return false;
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  ::prctl(PR_SET_DUMPABLE, 0);
  if (::syscall(SYS_capset, &head, none) != 0) return false;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  auto program = forwarder_seccomp_filter();
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

/// In the child: never returns. What fails shows as the end of `ready`.
[[noreturn]] void become_forwarder(const NetworkNamespace& of,
                                   const std::vector<std::uint16_t>& ports,
                                   const std::optional<Identity>& identity, std::uint32_t own_uid,
                                   pid_t launcher, int ready) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGPIPE, SIG_IGN);
  auto listeners = listeners_inside(of, places_of(ports));
  auto diagnosis = kernel::NetlinkSocket::open(NETLINK_SOCK_DIAG);
  if (listeners.empty() || !diagnosis) ::_exit(1);
  // What the launcher had open is not for this process: everything but what it needs goes.
  std::vector<int> kept;
  for (const auto& listener : listeners) kept.push_back(listener.socket.get());
  kept.push_back(ready);
  kept.push_back(diagnosis->descriptor());
  close_all_but(std::move(kept));
  Forwarder forwarder(std::move(listeners), *std::move(diagnosis));
  if (!give_up_rights(identity, own_uid, launcher)) ::_exit(1);
  if (!forwarder.follow_host()) ::_exit(1);
  const char one = '1';
  if (::write(ready, &one, 1) != 1) ::_exit(1);
  forwarder.serve();
}

}  // namespace

Result<LoopbackForwarder> start_loopback_forwarder(const NetworkNamespace& of,
                                                   const std::vector<std::uint16_t>& ports,
                                                   const std::optional<Identity>& identity,
                                                   std::uint32_t own_uid) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return error_from_errno("pipe2", errno);
  UniqueFd reading(ends[0]), writing(ends[1]);
  const pid_t launcher = ::getpid();
  int pidfd = -1;
  const long pid = ::syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, 0, 0);
  if (pid < 0) return error_from_errno("fork the forwarder", errno);
  if (pid == 0) become_forwarder(of, ports, identity, own_uid, launcher, writing.get());
  LoopbackForwarder started;
  started.pid = static_cast<pid_t>(pid);
  started.pidfd = UniqueFd(pidfd);
  started.ready = std::move(reading);
  return started;
}

}  // namespace satellite::sandbox
