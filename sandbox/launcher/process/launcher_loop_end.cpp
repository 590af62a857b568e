// How runs end, and what is left to do then.
#include "sandbox/launcher/process/launcher_loop.hpp"

#include "sandbox/launcher/bare/kill_descendants.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <utility>

namespace satellite::sandbox {
namespace {

using namespace std::chrono_literals;

// After the agent is gone: what is not dead by then dies with the launcher.
constexpr auto farewell_max = 5s;
constexpr int farewell_passes = 200;
// How many passes over /proc one turn may spend on orphans; the rest is for later turns.
constexpr int orphan_passes_inline = 3;
constexpr auto orphan_pause_min = 5ms;
constexpr auto orphan_pause_max = 10s;
// Runs whose end was reported and whose namespaces still exist, in kernel memory that no limit
// counts.
constexpr std::ptrdiff_t runs_coming_down_max = 32;

}  // namespace

void LauncherLoop::end_all_runs() {
  networks_.cancel_all();
  templates_.end();
  stock_.end();
  removals_.stop_sweeping();
  copies_.end();
  for (const auto& run : runs_) run->kill();
  const auto deadline = Clock::now() + farewell_max;
  while (!is_quiet() && Clock::now() < deadline) turn();
  bare::kill_descendants(nullptr, 0, farewell_passes);
}

/// Nothing is left to wait for; what cannot be killed is not waited for.
bool LauncherLoop::is_quiet() const {
  return unkillable_runs() == runs_.size() + ended_runs_.size() && removals_.empty() &&
         networks_.empty();
}

std::size_t LauncherLoop::unkillable_runs() const {
  const auto among_living = std::count_if(runs_.begin(), runs_.end(),
                                          [](const auto& run) { return run->is_unkillable(); });
  const auto among_ended =
      std::count_if(ended_runs_.begin(), ended_runs_.end(),
                    [](const EndedRun& one) { return one.run->is_unkillable(); });
  return static_cast<std::size_t>(among_living + among_ended);
}

/// An agent that starts runs faster than the kernel takes their namespaces down has to wait for it.
bool LauncherLoop::may_report_early() const {
  const auto coming_down = std::count_if(runs_.begin(), runs_.end(),
                                         [](const auto& run) { return run->is_coming_down(); });
  return coming_down < runs_coming_down_max;
}

void LauncherLoop::reap() {
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return;
    if (removals_.on_exit(pid, status) || networks_.on_exit(pid)) continue;
    if (templates_.on_exit(pid) || stock_.on_exit(pid)) continue;
    if (const auto copy = copies_.on_exit(pid, status)) {
      on_copied(*copy);
      continue;
    }
    const auto run = std::find_if(runs_.begin(), runs_.end(),
                                  [&](const auto& one) { return one->pid() == pid; });
    if (run != runs_.end()) finish(run);
  }
}

void LauncherLoop::finish(Runs::iterator position) {
  EndedRun ended{std::move(*position), std::nullopt, Clock::now() + unkillable_after};
  runs_.erase(position);
  copies_.abandon(ended.run->number());
  ended.record = ended.run->on_exit();
  if (!ended.run->may_have_orphans() || kill_orphans()) return complete(std::move(ended));
  orphan_pause_ = orphan_pause_min;
  orphan_look_at_ = Clock::now() + orphan_pause_;
  ended_runs_.push_back(std::move(ended));
}

/// The last record goes out only when nothing of the run is left.
void LauncherLoop::complete(EndedRun ended) {
  stock_.take_down_later(ended.run->take_network(), Clock::now());
  removals_.remove(ended.run->take_scratch_name());
  if (ended.record) return report_end(*ended.record);
  networks_.close_silently(ended.run->number());
  if (ended.run->must_report_gone()) send({ended.run->number(), RunGone{}});
}

void LauncherLoop::report_end(const LauncherRecord& record) {
  const auto* const failure = std::get_if<RunSetupFailed>(&record.event);
  if (failure != nullptr && failure->step == SetupStep::disk) templates_.forget();
  if (!networks_.close(record)) send(record);
}

/// Kills overdue runs again, and gives up waiting for those that cannot die: the agent gets the
/// record of their end, while scratch directory, user and control group stay with them.
void LauncherLoop::kill_overdue_runs(Clock::time_point now) {
  for (std::size_t i = 0; i < runs_.size(); ++i) {  // telling may start a run that waited
    runs_[i]->kill_if_overdue(now);
    if (const auto record = runs_[i]->give_up(now)) report_end(*record);
  }
  if (!ended_runs_.empty() && now >= orphan_look_at_) look_for_orphans(now);
}

/// An orphan does not show whose it was, so every run that may have some waits for all of them.
void LauncherLoop::look_for_orphans(Clock::time_point now) {
  if (kill_orphans()) {
    for (auto& ended : std::exchange(ended_runs_, {})) complete(std::move(ended));
    return;
  }
  orphan_pause_ = std::min<Clock::duration>(2 * orphan_pause_, orphan_pause_max);
  orphan_look_at_ = now + orphan_pause_;
  for (std::size_t i = 0; i < ended_runs_.size(); ++i) {
    EndedRun& ended = ended_runs_[i];
    if (!ended.record) continue;
    if (now < ended.give_up_at) {
      orphan_look_at_ = std::min(orphan_look_at_, ended.give_up_at);
      continue;
    }
    auto record = *std::exchange(ended.record, std::nullopt);
    ended.run->mark_unkillable(record, ::getpid());
    report_end(record);
  }
}

/// Kills the children that are no run's first process and none of the launcher's own: they were
/// reparented when their init was killed. Returns whether none is left.
bool LauncherLoop::kill_orphans() {
  std::vector<int> spared;
  for (const pid_t pid : removals_.processes()) spared.push_back(pid);
  for (const auto& run : runs_) spared.push_back(run->pid());
  for (const pid_t pid : networks_.processes()) spared.push_back(pid);
  for (const pid_t pid : templates_.processes()) spared.push_back(pid);
  for (const pid_t pid : stock_.processes()) spared.push_back(pid);
  for (const pid_t pid : copies_.processes()) spared.push_back(pid);
  return bare::kill_descendants(spared.data(), static_cast<int>(spared.size()),
                                orphan_passes_inline);
}

}  // namespace satellite::sandbox
