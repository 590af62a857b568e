#include "sandbox/launcher/process/scratch_removals.hpp"

#include "sandbox/launcher/process/detach_from_agent.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <utility>

namespace satellite::sandbox {
namespace {

constexpr std::ptrdiff_t workers_max = 2;
constexpr int removal_attempts_max = 3;
// A fork for each of many small directories would cost more than what it does.
constexpr std::size_t names_of_a_job_max = 32;
constexpr int niceness = 10;  // runs come first

/// In the child. It keeps nothing that is not for its work: an end of a run's socket or pipe in
/// here would keep that open although the launcher closed it.
void become_worker(pid_t launcher, const kernel::ScratchArea& area) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != launcher) ::_exit(1);
  ::prctl(PR_SET_NAME, "csat-remover");
  ::setpriority(PRIO_PROCESS, 0, niceness);
  const auto kept = area.descriptors();
  keep_descriptors({kept.begin(), kept.end()});
}

}  // namespace

void ScratchRemovals::sweep() {
  waiting_.push_back({});
  work();
}

void ScratchRemovals::remove(const std::string& name) {
  if (!name.empty() && !area_.remove_at_once(name)) remove_later(name);
}

void ScratchRemovals::remove_later(const std::string& name) {
  const bool joins = !waiting_.empty() && !waiting_.back().is_sweep() &&
                     waiting_.back().attempts == 0 &&
                     waiting_.back().names.size() < names_of_a_job_max;
  if (joins) {
    waiting_.back().names.push_back(name);
  } else {
    waiting_.push_back({{name}, 0});
  }
  work();
}

bool ScratchRemovals::on_exit(pid_t pid, int status) {
  const auto found = std::find_if(workers_.begin(), workers_.end(),
                                  [pid](const Worker& one) { return one.pid == pid; });
  if (found == workers_.end()) return false;
  Job job = std::move(found->job);
  workers_.erase(found);
  const bool done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!done && job.attempts < removal_attempts_max) waiting_.push_back(std::move(job));
  work();
  return true;
}

bool ScratchRemovals::may_start(const Job& job) const {
  const auto alike = std::count_if(workers_.begin(), workers_.end(), [&](const Worker& one) {
    return one.job.is_sweep() == job.is_sweep();
  });
  return alike < (job.is_sweep() ? 1 : workers_max);
}

bool ScratchRemovals::start(Job& job) {
  const pid_t launcher = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return false;
  if (pid == 0) {
    become_worker(launcher, area_);
    if (job.is_sweep()) area_.sweep_stale_neighbours();
    for (const auto& name : job.names) area_.remove_directory(name);
    ::_exit(0);
  }
  ++job.attempts;
  workers_.push_back({pid, std::move(job)});
  return true;
}

void ScratchRemovals::work() {
  for (std::size_t i = 0; i < waiting_.size();) {
    if (!may_start(waiting_[i])) {
      ++i;
      continue;
    }
    if (!start(waiting_[i])) return;  // no process is to be had now
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void ScratchRemovals::stop_sweeping() {
  std::erase_if(waiting_, [](const Job& job) { return job.is_sweep(); });
  for (auto& worker : workers_) {
    if (!worker.job.is_sweep()) continue;
    worker.job.attempts = removal_attempts_max;
    ::kill(worker.pid, SIGKILL);  // ours until we reaped it
  }
}

std::size_t ScratchRemovals::pending() const {
  std::size_t count = 0;
  for (const auto& job : waiting_) count += job.names.size();
  for (const auto& worker : workers_) count += worker.job.names.size();
  return count;
}

std::vector<pid_t> ScratchRemovals::processes() const {
  std::vector<pid_t> all;
  for (const auto& worker : workers_) all.push_back(worker.pid);
  return all;
}

}  // namespace satellite::sandbox
