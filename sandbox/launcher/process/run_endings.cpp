// How a run ends, and what is left to do then.
#include "sandbox/launcher/bare/kill_descendants.hpp"
#include "sandbox/launcher/process/launcher_loop.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <utility>

namespace satellite::sandbox {
namespace {

using namespace std::chrono_literals;

// After the agent is gone: what is not dead by then dies with us.
constexpr auto farewell_max = 5s;
constexpr int farewell_passes = 200;
// How long the loop may stand still for what an init left behind; the rest is for later turns.
constexpr int stray_passes_inline = 3;
constexpr auto stray_pause_min = 5ms;
constexpr auto stray_pause_max = 10s;
// A host on which so many runs hang in the kernel is of no use to another one.
constexpr std::size_t unkillable_runs_max = 64;
// Runs leave more behind than can be removed; more of them would only fill the disk.
constexpr std::size_t removals_pending_max = 256;
// Runs whose end was told and whose namespaces are still there: kernel memory that nobody counts.
constexpr std::ptrdiff_t runs_coming_down_max = 32;

}  // namespace

void LauncherLoop::end_all_runs() {
  networks_.cancel_all();
  removals_.stop_sweeping();
  for (const auto& run : runs_) run->kill();
  const auto deadline = Clock::now() + farewell_max;
  while (!is_quiet() && Clock::now() < deadline) turn();
  bare::kill_descendants(nullptr, 0, farewell_passes);
}

/// Nothing is left to wait for; what cannot be killed is not waited for.
bool LauncherLoop::is_quiet() const {
  return unkillable_runs() == runs_.size() + stranded_.size() && removals_.empty() &&
         networks_.empty();
}

std::size_t LauncherLoop::unkillable_runs() const {
  const auto among_living = std::count_if(runs_.begin(), runs_.end(),
                                          [](const auto& run) { return run->is_unkillable(); });
  const auto among_stranded =
      std::count_if(stranded_.begin(), stranded_.end(),
                    [](const Stranded& one) { return one.run->is_unkillable(); });
  return static_cast<std::size_t>(among_living + among_stranded);
}

/// Who starts runs faster than the kernel takes their namespaces down waits for it again.
bool LauncherLoop::may_tell_early() const {
  const auto coming_down = std::count_if(runs_.begin(), runs_.end(),
                                         [](const auto& run) { return run->is_coming_down(); });
  return coming_down < runs_coming_down_max;
}

/// Why nothing more may be started, or not as this user. The agent hands ids out; that none is two
/// runs' at once is seen to here, where the runs are.
std::optional<RunSetupFailed> LauncherLoop::obstacle(const LaunchOrder& order) const {
  if (unkillable_runs() >= unkillable_runs_max) {
    return RunSetupFailed{SetupStep::prepare, 0, 0,
                          std::to_string(unkillable_runs_max) +
                              " earlier runs cannot be killed; look for processes in state D and "
                              "for the file system or device that they wait for"};
  }
  if (removals_.pending() >= removals_pending_max) {
    return RunSetupFailed{SetupStep::scratch_directory, 0, 0,
                          "the scratch directories of " + std::to_string(removals_pending_max) +
                              " earlier runs are not removed yet; look for scripts that leave very "
                              "many files in theirs, and for a slow disk"};
  }
  if (!order.identity) return std::nullopt;
  const std::uint32_t uid = order.identity->uid;
  const auto has_it = [&](const LaunchedRun& run) {
    return run.identity() && run.identity()->uid == uid &&
           (order.identity_is_own || run.identity_is_own());
  };
  const bool taken =
      std::any_of(runs_.begin(), runs_.end(), [&](const auto& run) { return has_it(*run); }) ||
      std::any_of(stranded_.begin(), stranded_.end(),
                  [&](const Stranded& one) { return has_it(*one.run); });
  if (!taken) return std::nullopt;
  return RunSetupFailed{SetupStep::user_id, 0, 0,
                        "user id " + std::to_string(uid) +
                            " belongs to another run at this moment; let no policy name an id of "
                            "sandbox.uid_range"};
}

/// The agent plans so that this never happens; who took the agent over would not.
std::optional<RunRefused> LauncherLoop::refusal_of(const LaunchOrder& order) const {
  if (!state_.keeps_scripts_from_root) return std::nullopt;
  if (order.identity && order.identity->uid != 0 && order.identity->gid != 0) return std::nullopt;
  return RunRefused{
      "privilege: the script would be root on this host (uid 0 or gid 0), which its operator does "
      "not allow; let the policy say drop-to-uid with sandbox.uid set, or set "
      "operator.allow_root_scripts"};
}

void LauncherLoop::reap() {
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return;
    if (removals_.on_exit(pid, status) || networks_.on_exit(pid)) continue;
    const auto run = std::find_if(runs_.begin(), runs_.end(),
                                  [&](const auto& one) { return one->pid() == pid; });
    if (run != runs_.end()) finish(run);
  }
}

void LauncherLoop::finish(Runs::iterator position) {
  Stranded ended{std::move(*position), std::nullopt, Clock::now() + unkillable_after};
  runs_.erase(position);
  ended.record = ended.run->on_exit();
  if (!ended.run->may_have_strays() || kill_strays()) return complete(std::move(ended));
  stray_pause_ = stray_pause_min;
  stray_look_at_ = Clock::now() + stray_pause_;
  stranded_.push_back(std::move(ended));
}

/// The last record goes out only when nothing of the run is left.
void LauncherLoop::complete(Stranded ended) {
  removals_.remove(ended.run->take_scratch_name());
  if (ended.record) return tell_end(*ended.record);
  networks_.let_go(ended.run->number());
  if (ended.run->owes_gone()) send({ended.run->number(), RunGone{}});
}

void LauncherLoop::tell_end(const LauncherRecord& record) {
  if (!networks_.close(record)) send(record);
}

/// Kills again what should be dead, and gives up waiting for what cannot die: the agent is told,
/// and scratch directory, user and control group stay with the run until it is gone after all.
void LauncherLoop::look_after_the_dying(Clock::time_point now) {
  for (std::size_t i = 0; i < runs_.size(); ++i) {  // telling may start a run that waited
    runs_[i]->kill_if_overdue(now);
    if (const auto record = runs_[i]->give_up(now)) tell_end(*record);
  }
  if (!stranded_.empty() && now >= stray_look_at_) look_for_strays(now);
}

/// Whose strays are left cannot be told, so every run that may have some waits for all.
void LauncherLoop::look_for_strays(Clock::time_point now) {
  if (kill_strays()) {
    for (auto& ended : std::exchange(stranded_, {})) complete(std::move(ended));
    return;
  }
  stray_pause_ = std::min<Clock::duration>(2 * stray_pause_, stray_pause_max);
  stray_look_at_ = now + stray_pause_;
  for (std::size_t i = 0; i < stranded_.size(); ++i) {
    Stranded& ended = stranded_[i];
    if (!ended.record) continue;
    if (now < ended.give_up_at) {
      stray_look_at_ = std::min(stray_look_at_, ended.give_up_at);
      continue;
    }
    auto record = *std::exchange(ended.record, std::nullopt);
    ended.run->mark_unkillable(record, ::getpid());
    tell_end(record);
  }
}

/// Children that are neither a run nor ours came to us because their init was killed. Whether none
/// is left.
bool LauncherLoop::kill_strays() {
  std::vector<int> spared;
  for (const pid_t pid : removals_.processes()) spared.push_back(pid);
  for (const auto& run : runs_) spared.push_back(run->pid());
  for (const pid_t pid : networks_.processes()) spared.push_back(pid);
  return bare::kill_descendants(spared.data(), static_cast<int>(spared.size()),
                                stray_passes_inline);
}

}  // namespace satellite::sandbox
