#include "sandbox/launcher/launcher_process.hpp"

#include "protocol/vocabulary/secret.hpp"
#include "sandbox/kernel/memory_file.hpp"
#include "sandbox/kernel/proc_facts.hpp"
#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/descendants.hpp"
#include "sandbox/launcher/init_image.hpp"
#include "sandbox/launcher/launched_run.hpp"
#include "sandbox/launcher/namespace_probe.hpp"
#include "sandbox/launcher/order_codec.hpp"
#include "sandbox/planning/seccomp_filter.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <span>

namespace satellite::sandbox {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Removing more than this while other runs wait is left to a child of its own.
constexpr std::uint64_t removal_entries_inline = 500;
constexpr std::uint64_t removal_entries_max = 10'000'000;
// After the agent is gone: what is not dead by then dies with us.
constexpr auto farewell_max = 5s;
constexpr int agent_gone_signal = SIGUSR2;

class LauncherLoop {
 public:
  LauncherLoop(UniqueFd agent, UniqueFd signals, LauncherState state)
      : agent_(std::move(agent)), signals_(std::move(signals)), state_(std::move(state)) {}

  void run_until_agent_is_gone() {
    while (!agent_gone_) turn();
  }

  void end_all_runs() {
    for (const auto& run : runs_) run->kill();
    const auto deadline = Clock::now() + farewell_max;
    while (!(runs_.empty() && removers_.empty()) && Clock::now() < deadline) turn();
    bare::kill_descendants(nullptr, 0);
  }

 private:
  using Runs = std::vector<std::unique_ptr<LaunchedRun>>;

  void turn();
  int wait_milliseconds() const;
  void on_agent();
  void on_request(const LauncherRequest& request, std::vector<UniqueFd> descriptors);
  void start_run(std::uint64_t number, std::vector<UniqueFd> descriptors);
  void on_signals();
  void reap();
  void finish(Runs::iterator run);
  void remove_scratch(const std::string& name);
  void kill_strays();
  void send(const LauncherRecord& record);
  LaunchedRun* find(std::uint64_t number);

  UniqueFd agent_, signals_;
  LauncherState state_;
  Runs runs_;
  std::vector<pid_t> removers_;
  bool agent_gone_ = false;
};

int LauncherLoop::wait_milliseconds() const {
  std::optional<Clock::time_point> first;
  for (const auto& run : runs_) {
    if (run->overdue_at() && (!first || *run->overdue_at() < *first)) first = run->overdue_at();
  }
  if (agent_gone_) return 50;
  if (!first) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*first - Clock::now());
  return std::max(0, static_cast<int>(left.count()));
}

void LauncherLoop::turn() {
  std::vector<pollfd> watched{{agent_gone_ ? -1 : agent_.get(), POLLIN, 0},
                              {signals_.get(), POLLIN, 0}};
  // Descriptors, not positions: a run may end, and another begin, while the events are worked off.
  for (const auto& run : runs_) {
    watched.push_back({run->barrier_fd(), POLLIN, 0});
    watched.push_back({run->control_fd(), POLLIN, 0});
  }
  const auto known = runs_.size();
  if (::poll(watched.data(), watched.size(), wait_milliseconds()) < 0) return;
  for (std::size_t i = 0; i < known; ++i) {
    LaunchedRun& run = *runs_[i];
    if (watched[2 + 2 * i].revents != 0) {
      if (const auto started = run.on_barrier(state_)) {
        send({run.number(), *started});
        run.release();
      }
    }
    if (watched[3 + 2 * i].revents != 0) run.on_control();
    // While wrapper and namespaces come down there is time for it.
    if (run.tree_is_dead()) remove_scratch(run.take_scratch_name());
  }
  const auto now = Clock::now();
  for (const auto& run : runs_) run->kill_if_overdue(now);
  if (watched[1].revents != 0) on_signals();
  if (watched[0].revents != 0) on_agent();
}

void LauncherLoop::on_agent() {
  std::array<std::byte, record_size_max> buffer;
  auto received = kernel::receive_message(agent_.get(), buffer);
  if (!received) {
    agent_gone_ = true;
    return;
  }
  if (!*received) return;
  auto& message = **received;
  if (message.size == 0) {
    agent_gone_ = true;
    return;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(buffer.data()), message.size);
  const auto request = decode_request(bytes);
  // A peer that does not speak our language is not our agent any more: same as gone.
  if (!request || message.truncated) {
    agent_gone_ = true;
    return;
  }
  on_request(*request, std::move(message.descriptors));
}

void LauncherLoop::on_request(const LauncherRequest& request, std::vector<UniqueFd> descriptors) {
  if (request.kind == RequestKind::start) {
    return start_run(request.run_number, std::move(descriptors));
  }
  if (request.kind == RequestKind::try_namespaces) {
    const auto problem = try_namespaces(request.identity);
    if (problem) return send({request.run_number, *problem});
    return send({request.run_number, RunEnded{true}});
  }
  LaunchedRun* const run = find(request.run_number);
  if (run == nullptr) return;  // it ended while the request was on its way
  if (request.kind == RequestKind::terminate) run->terminate();
  if (request.kind == RequestKind::kill) run->kill();
}

void LauncherLoop::start_run(std::uint64_t number, std::vector<UniqueFd> descriptors) {
  if (descriptors.size() != start_descriptors || find(number) != nullptr) {
    return send({number, RunSetupFailed{SetupStep::decode_order, 0, 0, "wrong descriptors"}});
  }
  auto bytes = kernel::read_sealed_file(descriptors[0].get(), launch_order_size_max);
  if (!bytes) {
    return send({number, RunSetupFailed{SetupStep::decode_order, 0, 0, bytes.error().message}});
  }
  const auto order = decode_order(*bytes);
  wipe(*bytes);
  if (!order || order->run_number != number) {
    const std::string why = order ? "the order is for another run" : order.error().message;
    return send({number, RunSetupFailed{SetupStep::decode_order, 0, 0, why}});
  }
  RunStreams streams{std::move(descriptors[1]), std::move(descriptors[2])};
  auto started = LaunchedRun::start(*order, std::move(streams), state_);
  if (auto* problem = std::get_if<RunSetupFailed>(&started)) return send({number, *problem});
  runs_.push_back(std::move(std::get<std::unique_ptr<LaunchedRun>>(started)));
}

void LauncherLoop::on_signals() {
  signalfd_siginfo event{};
  while (::read(signals_.get(), &event, sizeof(event)) == static_cast<ssize_t>(sizeof(event))) {
    if (event.ssi_signo == static_cast<std::uint32_t>(agent_gone_signal)) agent_gone_ = true;
  }
  reap();
}

void LauncherLoop::reap() {
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return;
    std::erase(removers_, pid);
    const auto run = std::find_if(runs_.begin(), runs_.end(),
                                  [&](const auto& one) { return one->pid() == pid; });
    if (run != runs_.end()) finish(run);
  }
}

/// The last record goes out only when nothing of the run is left.
void LauncherLoop::finish(Runs::iterator position) {
  const auto run = std::move(*position);
  runs_.erase(position);
  const LauncherRecord record = run->on_exit();
  if (run->may_have_strays()) kill_strays();
  remove_scratch(run->take_scratch_name());
  send(record);
}

void LauncherLoop::remove_scratch(const std::string& name) {
  if (name.empty()) return;
  using Removal = kernel::ScratchArea::Removal;
  if (state_.scratch.remove_directory(name, removal_entries_inline) == Removal::done) return;
  const pid_t pid = ::fork();
  if (pid == 0) {
    static_cast<void>(state_.scratch.remove_directory(name, removal_entries_max));
    ::_exit(0);
  }
  if (pid > 0) removers_.push_back(pid);
}

/// Children that are neither a run nor ours came to us because their init was killed.
void LauncherLoop::kill_strays() {
  std::vector<int> spared(removers_.begin(), removers_.end());
  for (const auto& run : runs_) spared.push_back(run->pid());
  bare::kill_descendants(spared.data(), static_cast<int>(spared.size()));
}

void LauncherLoop::send(const LauncherRecord& record) {
  const std::string bytes = encode_record(record);
  const auto sent = kernel::send_message(agent_.get(), std::as_bytes(std::span(bytes)));
  if (!sent) agent_gone_ = true;
}

LaunchedRun* LauncherLoop::find(std::uint64_t number) {
  for (const auto& run : runs_) {
    if (run->number() == number) return run.get();
  }
  return nullptr;
}

/// Leaves the agent's world: its terminal, its descriptors, its signals.
void separate_from_agent(pid_t agent_pid) {
  ::setsid();
  ::prctl(PR_SET_NAME, "csat-launcher");
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  // The closed socket tells us that the agent is gone; this is the backup for a leaked copy of it.
  ::prctl(PR_SET_PDEATHSIG, agent_gone_signal);
  if (::getppid() != agent_pid) ::raise(agent_gone_signal);
}

/// Everything else that the agent had open is closed, and nothing is on 0, 1 and 2 but silence.
void keep_descriptors(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned next = 0;
  for (const int fd : kept) {
    const auto number = static_cast<unsigned>(fd);
    if (number > next) ::syscall(SYS_close_range, next, number - 1, 0);
    next = number + 1;
  }
  ::syscall(SYS_close_range, next, ~0U, 0);
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDWR));
  }
}

/// Blocked signals arrive through the descriptor; the others (a service manager's TERM to the whole
/// group, a terminal's INT) are the agent's to answer, so they are ignored here.
UniqueFd take_signals() {
  sigset_t all, watched;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::sigemptyset(&watched);
  ::sigaddset(&watched, SIGCHLD);
  ::sigaddset(&watched, agent_gone_signal);
  return UniqueFd(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
}

/// What the kernel has of Landlock, asked by using its call; 0 = nothing.
std::uint32_t landlock_abi() {
  constexpr long version = 1;  // LANDLOCK_CREATE_RULESET_VERSION
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, version);
  return abi > 0 ? static_cast<std::uint32_t>(abi) : 0;
}

bool cannot_debug_dropped_processes() {
  const auto setting = kernel::read_small_file(AT_FDCWD, "/proc/sys/fs/suid_dumpable");
  return setting && !setting->starts_with('1');
}
}  // namespace

int run_launcher(UniqueFd agent, const kernel::ScratchArea& scratch, pid_t agent_pid) {
  UniqueFd signals = take_signals();
  separate_from_agent(agent_pid);
  const auto [lock, parent] = scratch.descriptors();
  keep_descriptors({agent.get(), signals.get(), lock, parent});
  auto surroundings = read_own_surroundings();
  auto program = kernel::make_memory_file("csat-init", init_image(), kernel::Executable::yes);
  UniqueFd null_device(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!signals || !surroundings || !null_device) return 1;
  LauncherState state{scratch,
                      *surroundings,
                      std::move(program),
                      std::move(null_device),
                      ::geteuid() == 0,
                      cannot_debug_dropped_processes(),
                      landlock_abi(),
                      script_seccomp_filter()};
  LauncherLoop loop(std::move(agent), std::move(signals), std::move(state));
  loop.run_until_agent_is_gone();
  loop.end_all_runs();
  scratch.remove();
  return 0;
}

}  // namespace satellite::sandbox
