#include "sandbox/launcher/process/namespace_builder.hpp"

#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/bare/init_block.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <cstddef>
#include <span>
#include <utility>

namespace satellite::sandbox {
namespace {

using namespace std::chrono_literals;

// Milliseconds in the ordinary case; this is for a file system that hangs.
constexpr auto build_time_max = 10s;
constexpr auto slow_after = 1s;
// What failed once would fail for the next run as well, which then says why.
constexpr auto pause_after_failure = 30s;

}  // namespace

bool NamespaceBuilder::start(const std::function<void(int socket)>& live) {
  const auto now = Clock::now();
  if (is_busy() || now < not_before_) return false;
  auto sockets = kernel::make_message_sockets();
  if (!sockets) return false;
  const unsigned long flags = CLONE_PIDFD | SIGCHLD;
  int pidfd = -1;
  const long pid = ::syscall(SYS_clone, flags, nullptr, &pidfd, 0, 0);
  if (pid == 0) {
    live(sockets->second.get());
    ::_exit(1);
  }
  if (pid < 0) {
    not_before_ = now + pause_after_failure;
    return false;
  }
  pid_ = static_cast<pid_t>(pid);
  pidfd_ = UniqueFd(pidfd);
  answer_ = std::move(sockets->first);
  deadline_ = now + build_time_max;
  return true;
}

NamespaceBuilder::Answer NamespaceBuilder::take_answer() {
  InitReport report;
  auto received =
      kernel::receive_message(answer_.get(), std::as_writable_bytes(std::span(&report, 1)));
  if (received && !*received) return Answer::none;
  const bool is_ready =
      received && (*received)->size == sizeof(report) && report.kind == InitReportKind::ready;
  if (!is_ready) return Answer::failed;
  descriptors_ = std::move((*received)->descriptors);
  return Answer::ready;
}

void NamespaceBuilder::finish() {
  ending_.push_back(std::exchange(pid_, -1));
  pidfd_.reset();
  answer_.reset();  // its end lets the child go
}

void NamespaceBuilder::give_up() {
  if (!is_busy()) return;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  not_before_ = Clock::now() + pause_after_failure;
  finish();
}

void NamespaceBuilder::watch(std::vector<pollfd>& watched) const {
  if (is_busy()) watched.push_back({answer_.get(), POLLIN, 0});
}

bool NamespaceBuilder::on_exit(pid_t pid) {
  if (pid != pid_) return std::erase(ending_, pid) > 0;
  give_up();
  std::erase(ending_, pid);
  return true;
}

bool NamespaceBuilder::fail_overdue(Clock::time_point now) {
  if (!is_busy() || now < deadline_) return false;
  give_up();
  return true;
}

bool NamespaceBuilder::is_slow(Clock::time_point now) const {
  return is_busy() && now >= deadline_ - build_time_max + slow_after;
}

std::optional<NamespaceBuilder::Clock::time_point> NamespaceBuilder::deadline() const {
  return is_busy() ? std::optional(deadline_) : std::nullopt;
}

std::vector<pid_t> NamespaceBuilder::processes() const {
  auto all = ending_;
  if (is_busy()) all.push_back(pid_);
  return all;
}

void become_builder(int socket) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (socket != builder_answer_fd) ::dup3(socket, builder_answer_fd, O_CLOEXEC);
  ::syscall(SYS_close_range, builder_answer_fd + 1, ~0U, 0);
  ::umask(0);
}

void say_ready_and_wait(std::span<const int> descriptors) {
  InitReport report;
  report.kind = InitReportKind::ready;
  static_cast<void>(
      kernel::send_message(builder_answer_fd, std::as_bytes(std::span(&report, 1)), descriptors));
  char byte = 0;
  while (::read(builder_answer_fd, &byte, 1) < 0 && errno == EINTR) {
  }
  ::_exit(0);
}

}  // namespace satellite::sandbox
