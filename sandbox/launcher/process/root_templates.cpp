// A run's root costs more than everything else of it, and is the same for most runs. It is made
// once, in a mount namespace that nothing lives in; each run is started there by clone3, which
// copies exactly these mounts and not the host's. What the barrier measures of a run is not
// affected by this: a template is a source, not a proof.
#include "sandbox/launcher/process/root_templates.hpp"

#include "sandbox/kernel/proc_facts.hpp"
#include "sandbox/launcher/bare/rootfs.hpp"
#include "sandbox/launcher/process/run_preparation.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>
#include <utility>

namespace satellite::sandbox {
namespace {

// Few policies are in use at a time; each costs kernel memory for some thirty mounts.
constexpr std::size_t templates_max = 4;

/// The life of the process that builds a template; its namespaces outlive it.
[[noreturn]] void build(const NativePreparation& native, int parent_user_namespace, int socket) {
  if (parent_user_namespace >= 0 && ::setns(parent_user_namespace, CLONE_NEWUSER) != 0) ::_exit(1);
  become_builder(socket);
  constexpr Fault no_fault{};
  const bare::Attempt attempt(no_fault, builder_answer_fd);
  // Without root a run may mount a proc of its own only where it sees one already, which is that of
  // a pid namespace in which nobody lives.
  const int kinds = CLONE_NEWNS | (native.setup().own_user ? CLONE_NEWPID : 0);
  if (::unshare(kinds) != 0) attempt.give_up(SetupStep::namespaces, 0, -errno);
  const int mounts = ::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  if (mounts < 0) attempt.give_up(SetupStep::namespaces, 1, -errno);
  bare::build_template(attempt, native.setup());
  say_ready_and_wait(std::span(&mounts, 1));
}

bool fill(RootTemplate& made, UniqueFd mount_namespace, pid_t builder) {
  made.mount_namespace = std::move(mount_namespace);
  const auto text =
      kernel::read_small_file(AT_FDCWD, "/proc/" + std::to_string(builder) + "/mountinfo");
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

/// Whether runs can be started in a template. To enter its mounts takes CAP_SYS_CHROOT beside
/// CAP_SYS_ADMIN (setns(2)). And a run mounts its own /proc there, which the kernel lets root of
/// another user namespace than the first do only where a whole /proc is to be seen: a template has
/// none (user_namespaces(7)).
bool can_enter_mounts() {
  constexpr std::size_t effective = 2;
  const auto text = kernel::read_small_file(AT_FDCWD, "/proc/self/status");
  const auto status =
      text ? kernel::parse_status(*text) : Result<kernel::ProcessStatus>(text.error());
  if (!status || (status->capabilities[effective] >> CAP_SYS_CHROOT & 1U) == 0) return false;
  const auto map = kernel::read_small_file(AT_FDCWD, "/proc/self/uid_map");
  std::istringstream numbers(map ? *map : std::string());
  std::uint64_t inside = 1, outside = 1, count = 0;
  numbers >> inside >> outside >> count;
  return inside == 0 && outside == 0 && count == 4'294'967'295;
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

bool shows_disks(const std::vector<FileStep>& steps) {
  return std::any_of(steps.begin(), steps.end(),
                     [](const FileStep& step) { return step.kind == FileStepKind::disk; });
}

}  // namespace

RootTemplates::RootTemplates(bool launcher_is_root, std::string scratch_area, bool makes_templates,
                             DiskRoot::Unused unused_roots)
    : is_root_(launcher_is_root),
      makes_templates_(makes_templates && can_hand_in_mounts() &&
                       (!launcher_is_root || can_enter_mounts())),
      scratch_area_(std::move(scratch_area)),
      unused_roots_(std::move(unused_roots)),
      mounts_(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)) {}

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
  if (!is_root_ && !parents_show_the_area()) {
    begin_parents();
    return nullptr;
  }
  look_for_changed_mounts();
  const auto found = std::find_if(kept_.begin(), kept_.end(), [&order](const auto& one) {
    const auto wanted = root_steps(order);
    return bool{one->disk_root} == order.native->root_on_disk &&
           std::equal(one->steps.begin(), one->steps.end(), wanted.begin(), wanted.end());
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
  if (one.disk_root && !one.disk_root->is_whole()) return false;
  if (one.watch.saw_nothing()) {
    return stamps_of_host_files(one.watch.unwatched()) == one.watch.unwatched_stamps();
  }
  one.watch = HostFileWatch(one.steps);
  return one.files == stamps_of_host_files(one.steps);
}

/// An area that somebody removed is made anew for the next run that needs it.
bool RootTemplates::parents_show_the_area() const {
  struct stat area {};
  return parents_ && ::stat(scratch_area_.c_str(), &area) == 0 &&
         area.st_dev == parents_->area_device && area.st_ino == parents_->area_inode;
}

void RootTemplates::begin_parents() {
  // One that is gone is made anew for the run that is launched now.
  struct stat area {};
  if (::stat(scratch_area_.c_str(), &area) != 0) return;
  const Identity own{::geteuid(), ::getegid()};
  const int user = parents_ ? parents_->user.get() : -1;
  const bool begun =
      builder_.start([&](int socket) { make_parent_namespaces(scratch_area_, own, user, socket); });
  if (begun) unfinished_.reset();  // of a builder that was given up
}

/// Runs and networks that exist are below the user namespace that is there, which therefore stays.
bool RootTemplates::take_parents(std::vector<UniqueFd> sent) {
  struct stat shown {};
  if (sent.size() != 3 || ::fstat(sent[2].get(), &shown) != 0) return false;
  ParentNamespaces made{std::move(sent[0]), std::move(sent[1])};
  made.area_device = shown.st_dev;
  made.area_inode = shown.st_ino;
  if (parents_) made.user = std::move(parents_->user);
  parents_ = std::move(made);
  return true;
}

void RootTemplates::begin(const LaunchOrder& order) {
  if (builder_.is_busy()) return;
  Unfinished unfinished{std::make_unique<RootTemplate>(), generation_};
  RootTemplate& made = *unfinished.made;
  made.steps.assign(root_steps(order).begin(), root_steps(order).end());
  // Before the files are read, so that a change meanwhile is noticed later.
  made.watch = HostFileWatch(made.steps);
  made.files = stamps_of_host_files(made.steps);
  NativePreparation native(order, Identity{::geteuid(), ::getegid()}, is_root_, false);
  if (order.native->root_on_disk) {
    auto root = DiskRoot::make(scratch_area_, unused_roots_);
    if (!root) return;  // the run that finds no template says why
    made.disk_root = *std::move(root);
    native.build_on_disk(made.disk_root->path());
  }
  if (!may_make_carriers(Clock::now())) native.make_no_carriers();
  const int parent = parents_ ? parents_->user.get() : -1;
  const bool begun = builder_.start([&](int socket) { build(native, parent, socket); });
  if (begun) unfinished_ = std::move(unfinished);
}

void RootTemplates::tell_of_mounts(RunPlace& place) {
  place.mounts_generation = mounts_generation();
  place.makes_carriers = may_make_carriers(Clock::now());
}

bool RootTemplates::may_make_carriers(Clock::time_point now) const {
  const bool is_waiting =
      unfinished_ && builder_.is_slow(now) && shows_disks(unfinished_->made->steps);
  return !is_waiting && silent_generation_ != generation_;
}

void RootTemplates::fail_overdue(Clock::time_point now) {
  const bool shows = unfinished_ && shows_disks(unfinished_->made->steps);
  if (builder_.fail_overdue(now) && shows) silent_generation_ = generation_;
}

void RootTemplates::keep(Unfinished finished) {
  // A mount that came meanwhile may be in it or not.
  if (mounts_generation() != finished.generation) return;
  kept_.insert(kept_.begin(), std::move(finished.made));
  if (kept_.size() > templates_max) kept_.pop_back();
}

void RootTemplates::take_builders_answer() {
  const auto answer = builder_.take_answer();
  if (answer == NamespaceBuilder::Answer::none) return;
  auto unfinished = std::exchange(unfinished_, std::nullopt);
  bool is_made = answer == NamespaceBuilder::Answer::ready;
  auto sent = builder_.take_descriptors();
  if (is_made && unfinished) {
    is_made = sent.size() == 1 && fill(*unfinished->made, std::move(sent[0]), builder_.pid());
  } else if (is_made) {
    is_made = take_parents(std::move(sent));
  }
  if (!is_made) return builder_.give_up();
  builder_.finish();
  if (unfinished) keep(*std::move(unfinished));
}

void RootTemplates::watch(std::vector<pollfd>& watched) const {
  if (mounts_) watched.push_back({mounts_.get(), POLLPRI, 0});
  builder_.watch(watched);
}

void RootTemplates::work_off(std::span<const pollfd> watched) {
  for (const auto& one : watched) {
    if (one.revents == 0 || one.fd < 0) continue;
    if (one.fd == mounts_.get()) {  // this poll(2) took the news
      ++generation_;
      kept_.clear();
    }
    if (builder_.is(one.fd)) take_builders_answer();
  }
}

void RootTemplates::end() {
  builder_.give_up();
  unfinished_.reset();
  kept_.clear();
  parents_.reset();
  mounts_.reset();
}

}  // namespace satellite::sandbox
