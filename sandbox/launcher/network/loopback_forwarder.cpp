#include "sandbox/launcher/network/loopback_forwarder.hpp"

#include "sandbox/host/host_view.hpp"
#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/bare/forwarder.hpp"
#include "sandbox/launcher/bare/raw_syscall.hpp"
#include "sandbox/planning/seccomp_filter.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

namespace satellite::sandbox {
namespace {

static_assert(loopback_ports_max <= forwarder_ports_max);
static_assert(sizeof(sock_filter) == sizeof(ForwarderTask::filter[0]));

Result<ForwarderTask> task_of(const ForwarderWish& wish) {
  const auto filter = forwarder_seccomp_filter();
  if (wish.ports.size() > forwarder_ports_max || filter.size() > forwarder_filter_max) {
    return Error{ErrorCode::limit_exceeded, "a forwarder cannot carry so many ports"};
  }
  ForwarderTask task;
  task.launcher = ::getpid();
  if (wish.identity) {
    task.changes_identity = 1;
    task.uid = wish.identity->uid;
    task.gid = wish.identity->gid;
    task.own_uid = wish.own_uid;
  }
  task.port_count = static_cast<std::uint32_t>(wish.ports.size());
  std::copy(wish.ports.begin(), wish.ports.end(), task.ports);
  task.filter_length = static_cast<std::uint32_t>(filter.size());
  std::memcpy(task.filter, filter.data(), filter.size() * sizeof(filter[0]));
  return task;
}

struct ForwarderFds {
  int socket = -1, program = -1;
};

/// In the child, which shares the launcher's memory until it executes the program: raw system calls
/// over prepared values. What fails shows as the end of the socket.
int execute_forwarder(void* passed) {
  constexpr long program_fd = 1, out_of_the_way = 100;
  const ForwarderFds& fds = *static_cast<const ForwarderFds*>(passed);
  const long socket = bare::call(__NR_fcntl, fds.socket, F_DUPFD_CLOEXEC, out_of_the_way);
  const long program = bare::call(__NR_fcntl, fds.program, F_DUPFD_CLOEXEC, out_of_the_way);
  if (bare::call(__NR_dup3, socket, forwarder_fd_socket, 0) >= 0 &&
      bare::call(__NR_dup3, program, program_fd, O_CLOEXEC) >= 0) {
    bare::call(__NR_close_range, program_fd + 1, ~0U, 0);
    const char* const arguments[] = {"csat-forwarder", nullptr};
    const char* const environment[] = {nullptr};
    bare::call(__NR_execveat, program_fd, bare::address(""), bare::address(arguments),
               bare::address(environment), AT_EMPTY_PATH);
  }
  for (;;) bare::call(__NR_exit_group, 127);
}

/// Of the launcher only what the program would have.
[[noreturn]] void become_forwarder(int socket) {
  if (socket != forwarder_fd_socket) ::dup3(socket, forwarder_fd_socket, 0);
  ::syscall(SYS_close_range, forwarder_fd_socket + 1, ~0U, 0);
  bare::run_forwarder(forwarder_fd_socket);
}

long clone_forwarder(const ForwarderFds& fds, int& pidfd) {
  if (fds.program < 0) {
    const long pid = ::syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, 0, 0);
    if (pid == 0) become_forwarder(fds.socket);
    return pid;
  }
  constexpr std::size_t stack_size = 16U << 10U;
  const auto stack = std::make_unique_for_overwrite<std::byte[]>(stack_size);
  ForwarderFds passed = fds;
  return ::clone(execute_forwarder, stack.get() + stack_size,
                 CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &passed, &pidfd);
}

}  // namespace

Result<LoopbackForwarder> start_loopback_forwarder(const NetworkNamespace& of,
                                                   const ForwarderWish& wish, int program) {
  const auto task = task_of(wish);
  if (!task) return task.error();
  auto sockets = kernel::make_message_sockets();
  if (!sockets) return sockets.error();
  const std::array<int, 2> descriptors{of.network_namespace.get(), of.user_namespace.get()};
  const auto told = kernel::send_message(sockets->first.get(), std::as_bytes(std::span(&*task, 1)),
                                         std::span(descriptors).first(of.user_namespace ? 2 : 1));
  if (!told) return told.error();
  int pidfd = -1;
  const long pid = clone_forwarder({sockets->second.get(), program}, pidfd);
  if (pid < 0) return error_from_errno("start the forwarder", errno);
  LoopbackForwarder started;
  started.pid = static_cast<pid_t>(pid);
  started.pidfd = UniqueFd(pidfd);
  started.ready = std::move(sockets->first);
  return started;
}

}  // namespace satellite::sandbox
