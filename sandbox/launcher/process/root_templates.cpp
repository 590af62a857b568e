// A run's root costs more than everything else of it, and is the same for most runs. It is made
// once, in a mount namespace that nothing lives in; each run is born there by clone3, which copies
// exactly these mounts and not the host's. What the barrier measures of a run is not affected by
// this: a template is a source, not a proof.
#include "sandbox/launcher/process/root_templates.hpp"

#include "sandbox/kernel/proc_facts.hpp"
#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/bare/rootfs.hpp"
#include "sandbox/launcher/process/barrier.hpp"
#include "sandbox/launcher/process/run_preparation.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace satellite::sandbox {
namespace {

using namespace std::chrono_literals;

// Few policies are in use at a time; each costs kernel memory for some thirty mounts.
constexpr std::size_t templates_max = 4;
// Milliseconds in the ordinary case; this is for a file system that hangs.
constexpr auto build_time_max = 10s;
// What failed once would fail for the next run as well, which then says why.
constexpr auto pause_after_failure = 30s;
constexpr int answer_fd = 3;

/// The life of the process that builds a template; its namespaces outlive it.
[[noreturn]] void build(const NativePreparation& native, int socket) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (socket != answer_fd) ::dup3(socket, answer_fd, O_CLOEXEC);
  ::syscall(SYS_close_range, answer_fd + 1, ~0U, 0);
  ::umask(0);
  constexpr Fault no_fault{};
  const bare::Attempt attempt(no_fault, answer_fd);
  bare::build_template(attempt, native.setup());
  // The launcher may open our namespaces only while we are dumpable.
  ::prctl(PR_SET_DUMPABLE, 1);
  InitReport report;
  report.kind = InitReportKind::ready;
  static_cast<void>(kernel::send_message(answer_fd, std::as_bytes(std::span(&report, 1))));
  char byte = 0;
  while (::read(answer_fd, &byte, 1) < 0 && errno == EINTR) {
  }
  ::_exit(0);
}

bool fill(RootTemplate& made, pid_t builder) {
  const std::string process = "/proc/" + std::to_string(builder);
  made.mount_namespace.reset(::open((process + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
  const auto text = kernel::read_small_file(AT_FDCWD, process + "/mountinfo");
  if (!made.mount_namespace || !text) return false;
  const auto mounts = kernel::parse_mountinfo(*text);
  if (!mounts) return false;
  std::set<std::string> devices;
  for (const auto& mount : *mounts) devices.insert(mount.device);
  made.devices = std::make_shared<const std::set<std::string>>(std::move(devices));
  return true;
}

/// A kernel before 5.12 lacks one of the calls that hand a run its scratch directory.
bool can_hand_in_mounts() {
  const auto exists = [](long number) {
    return ::syscall(number, -1, nullptr, -1, nullptr, 0) >= 0 || errno != ENOSYS;
  };
  return exists(SYS_open_tree) && exists(SYS_move_mount) && exists(SYS_mount_setattr);
}

/// Made to fail in what a template would have done already.
bool is_fault_of_root(const LaunchOrder& order) {
  switch (order.fault.step) {
    case SetupStep::private_mounts:
    case SetupStep::new_root:
    case SetupStep::seal_root:
    case SetupStep::pivot_root:
    case SetupStep::detach_host:
      return true;
    case SetupStep::file_step:
      return order.fault.index >= 0 &&
             static_cast<std::uint32_t>(order.fault.index) < order.native->root_steps;
    default:
      return false;
  }
}

std::span<const FileStep> root_steps(const LaunchOrder& order) {
  return std::span(order.native->steps).first(order.native->root_steps);
}

}  // namespace

/// A template while it is made.
struct RootTemplates::Builder {
  std::unique_ptr<RootTemplate> made = std::make_unique<RootTemplate>();
  pid_t pid = -1;
  UniqueFd pidfd, answer;
  std::uint64_t generation = 0;
  Clock::time_point deadline;
};

RootTemplates::RootTemplates(bool launcher_is_root)
    : makes_templates_(launcher_is_root && can_hand_in_mounts()),
      mounts_(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)) {}

RootTemplates::~RootTemplates() {
  end();
}

void RootTemplates::look_for_changed_mounts() {
  pollfd watched{mounts_.get(), POLLPRI, 0};
  if (::poll(&watched, 1, 0) == 0) return;
  ++generation_;
  kept_.clear();
}

std::uint64_t RootTemplates::mounts_generation() {
  if (mounts_) look_for_changed_mounts();
  return generation_;
}

const RootTemplate* RootTemplates::take(const LaunchOrder& order) {
  if (!makes_templates_ || !mounts_ || !order.native) return nullptr;
  if (order.native->root_steps == 0) return nullptr;
  if (is_fault_of_root(order)) return nullptr;
  look_for_changed_mounts();
  const auto found = std::find_if(kept_.begin(), kept_.end(), [&order](const auto& one) {
    const auto wanted = root_steps(order);
    return std::equal(one->steps.begin(), one->steps.end(), wanted.begin(), wanted.end());
  });
  if (found == kept_.end()) {
    begin(order);
    return nullptr;
  }
  if (!is_current(**found)) {
    kept_.erase(found);
    begin(order);
    return nullptr;
  }
  std::rotate(kept_.begin(), found, found + 1);
  return kept_.front().get();
}

/// A watch that saw nothing spares most looks. What it saw can have been a directory on the way to
/// a file that is not there yet, so that there is more to watch now.
bool RootTemplates::is_current(RootTemplate& one) {
  if (one.watch.saw_nothing()) {
    return stamps_of_host_files(one.watch.unwatched()) == one.watch.unwatched_stamps();
  }
  one.watch = HostFileWatch(one.steps);
  return one.files == stamps_of_host_files(one.steps);
}

void RootTemplates::begin(const LaunchOrder& order) {
  if (builder_ || Clock::now() < not_before_) return;
  auto sockets = kernel::make_message_sockets();
  if (!sockets) return;
  auto builder = std::make_unique<Builder>();
  builder->generation = generation_;
  RootTemplate& made = *builder->made;
  made.steps.assign(root_steps(order).begin(), root_steps(order).end());
  // Before the files are read, so that a change meanwhile is noticed later.
  made.watch = HostFileWatch(made.steps);
  made.files = stamps_of_host_files(made.steps);
  builder->deadline = Clock::now() + build_time_max;
  constexpr bool is_root = true;
  const NativePreparation native(order, Identity{::geteuid(), ::getegid()}, is_root);
  constexpr unsigned long flags = CLONE_NEWNS | CLONE_PIDFD | SIGCHLD;
  int pidfd = -1;
  const long pid = ::syscall(SYS_clone, flags, nullptr, &pidfd, 0, 0);
  if (pid == 0) build(native, sockets->second.get());
  if (pid < 0) {
    not_before_ = Clock::now() + pause_after_failure;
    return;
  }
  builder->pid = static_cast<pid_t>(pid);
  builder->pidfd = UniqueFd(pidfd);
  builder->answer = std::move(sockets->first);
  builder_ = std::move(builder);
}

void RootTemplates::take_builders_answer() {
  const Incoming incoming = receive_report(builder_->answer.get());
  if (!incoming.report && !incoming.closed) return;
  const bool is_ready = incoming.report && incoming.report->kind == InitReportKind::ready &&
                        fill(*builder_->made, builder_->pid);
  if (!is_ready) return give_up_builder();
  // A mount that came meanwhile may be in it or not.
  if (mounts_generation() == builder_->generation) {
    kept_.insert(kept_.begin(), std::move(builder_->made));
    if (kept_.size() > templates_max) kept_.pop_back();
  }
  ending_.push_back(builder_->pid);
  builder_.reset();  // the end of the socket lets it go
}

void RootTemplates::give_up_builder() {
  ::syscall(SYS_pidfd_send_signal, builder_->pidfd.get(), SIGKILL, nullptr, 0);
  not_before_ = Clock::now() + pause_after_failure;
  ending_.push_back(builder_->pid);
  builder_.reset();
}

void RootTemplates::watch(std::vector<pollfd>& watched) const {
  if (mounts_) watched.push_back({mounts_.get(), POLLPRI, 0});
  if (builder_) watched.push_back({builder_->answer.get(), POLLIN, 0});
}

void RootTemplates::work_off(std::span<const pollfd> watched) {
  for (const auto& one : watched) {
    if (one.revents == 0 || one.fd < 0) continue;
    if (one.fd == mounts_.get()) {  // this poll(2) took the news
      ++generation_;
      kept_.clear();
    }
    if (builder_ && one.fd == builder_->answer.get()) take_builders_answer();
  }
}

bool RootTemplates::on_exit(pid_t pid) {
  if (builder_ && builder_->pid == pid) {
    not_before_ = Clock::now() + pause_after_failure;
    builder_.reset();
    return true;
  }
  return std::erase(ending_, pid) > 0;
}

void RootTemplates::fail_overdue(Clock::time_point now) {
  if (builder_ && now >= builder_->deadline) give_up_builder();
}

std::optional<RootTemplates::Clock::time_point> RootTemplates::deadline() const {
  return builder_ ? std::optional(builder_->deadline) : std::nullopt;
}

std::vector<pid_t> RootTemplates::processes() const {
  auto all = ending_;
  if (builder_) all.push_back(builder_->pid);
  return all;
}

void RootTemplates::end() {
  if (builder_) give_up_builder();
  kept_.clear();
  mounts_.reset();
}

}  // namespace satellite::sandbox
