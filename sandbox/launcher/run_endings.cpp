// How a run ends, and what is left to do then.
#include "sandbox/launcher/descendants.hpp"
#include "sandbox/launcher/launcher_loop.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>

namespace satellite::sandbox {
namespace {

using namespace std::chrono_literals;

// Removing more than this while other runs wait is left to a child of its own.
constexpr std::uint64_t removal_entries_inline = 500;
constexpr std::uint64_t removal_entries_max = 10'000'000;
// After the agent is gone: what is not dead by then dies with us.
constexpr auto farewell_max = 5s;

}  // namespace

void LauncherLoop::end_all_runs() {
  networks_.cancel_all();
  for (const auto& run : runs_) run->kill();
  const auto deadline = Clock::now() + farewell_max;
  while (!(runs_.empty() && removers_.empty() && networks_.empty()) && Clock::now() < deadline)
    turn();
  bare::kill_descendants(nullptr, 0);
}

void LauncherLoop::reap() {
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return;
    std::erase(removers_, pid);
    if (networks_.on_exit(pid)) continue;
    const auto run = std::find_if(runs_.begin(), runs_.end(),
                                  [&](const auto& one) { return one->pid() == pid; });
    if (run != runs_.end()) finish(run);
  }
}

/// The last record goes out only when nothing of the run is left.
void LauncherLoop::finish(Runs::iterator position) {
  const auto run = std::move(*position);
  runs_.erase(position);
  const auto record = run->on_exit();
  if (run->may_have_strays()) kill_strays();
  remove_scratch(run->take_scratch_name());
  if (record && !networks_.close(*record)) send(*record);
  if (!record && run->identity_is_own()) send({run->number(), RunGone{}});
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
  for (const pid_t pid : networks_.processes()) spared.push_back(pid);
  bare::kill_descendants(spared.data(), static_cast<int>(spared.size()));
}

}  // namespace satellite::sandbox
