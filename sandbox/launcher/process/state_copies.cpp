// What a copying process is and may do. It is forked from the launcher, so it first gives up all
// that it inherited; what it works on was written by a script.
#include "sandbox/launcher/process/state_copies.hpp"

#include "protocol/vocabulary/printable.hpp"
#include "sandbox/launcher/process/detach_from_agent.hpp"
#include "sandbox/launcher/process/state_tree.hpp"
#include "sandbox/planning/seccomp_filter.hpp"
#include "sandbox/state/state_file.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cstddef>
#include <utility>

namespace satellite::sandbox {
namespace {

// The largest state takes a third of a second.
constexpr unsigned copy_seconds_max = 10;
constexpr rlim_t copy_files_max = 64;  // one for each level, and what a run's copy begins with
constexpr std::size_t words_size_max = 300;

/// What a copying process is started for.
struct CopyJob {
  int directory = -1, file = -1, words = -1;
  ByteCount size_max;
  std::optional<Identity> identity;  ///< to change to
  std::uint32_t landlock_abi = 0;
  pid_t launcher = -1;
  bool fills = false;
};

void limit_copy(int resource, rlim_t value) {
  const rlimit both{value, value};
  ::setrlimit(static_cast<__rlimit_resource>(resource), &both);
}

/// Of all files only what lies in the directory; the file is open already.
bool restrict_copy(const CopyJob& job) {
  if (job.landlock_abi == 0) return true;
  // Version 1 ends with making symbolic links; 2 has linking to elsewhere, 3 truncate(2), 5
  // ioctl(2).
  std::uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1U) - 1;
  if (job.landlock_abi >= 2) rights |= std::uint64_t{1} << 13U;
  if (job.landlock_abi >= 3) rights |= std::uint64_t{1} << 14U;
  if (job.landlock_abi >= 5) rights |= std::uint64_t{1} << 15U;
  const UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rights, sizeof(rights), 0)));
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
                           LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                           LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                           LANDLOCK_ACCESS_FS_REMOVE_FILE;
  beneath.parent_fd = job.directory;
  return ruleset &&
         ::syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) ==
             0 &&
         ::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) == 0;
}

bool confine_copy(const CopyJob& job) {
  limit_copy(RLIMIT_CORE, 0);
  limit_copy(RLIMIT_NOFILE, copy_files_max);
  if (job.identity) {
    const auto [uid, gid] = *job.identity;
    // Raw: libc would signal every thread of this process, of which it has one, and kills it where
    // TSan has made another.
    const bool changed = ::syscall(SYS_setgroups, 0, nullptr) == 0 &&
                         ::syscall(SYS_setresgid, gid, gid, gid) == 0 &&
                         ::syscall(SYS_setresuid, uid, uid, uid) == 0;
    if (!changed) return false;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // the change of ids clears it
  if (::getppid() != job.launcher) return false;
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  ::prctl(PR_SET_DUMPABLE, 0);
  if (::syscall(SYS_capset, &head, none) != 0) return false;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !restrict_copy(job)) return false;
  auto program = state_copy_seccomp_filter();
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

Result<void> copy_state(const CopyJob& job) {
  if (!job.fills) return pack_state(job.directory, job.file, job.size_max);
  const auto packed = read_state_file(job.file, job.size_max);
  if (!packed) return packed.error();
  return unpack_state(job.directory, *packed, job.size_max);
}

/// In the child: never returns.
[[noreturn]] void become_copy(const CopyJob& job) {
  ::prctl(PR_SET_NAME, "csat-state");
  keep_descriptors({job.directory, job.file, job.words});
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::alarm(copy_seconds_max);
  const bool is_confined = confine_copy(job);
  const Result<void> done =
      is_confined ? copy_state(job)
                  : Error{ErrorCode::not_permitted, "the process that copies it was not confined"};
  if (done) ::_exit(0);
  const std::string text = done.error().message.substr(0, words_size_max);
  static_cast<void>(::write(job.words, text.data(), text.size()));
  ::_exit(1);
}

std::string problem_of(int words, int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
    return "copying it took more than " + std::to_string(copy_seconds_max) + " s";
  }
  std::string text(words_size_max, '\0');
  const ssize_t size = ::read(words, text.data(), text.size());
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return text.empty() ? "the process that copies it was killed" : printable(text, words_size_max);
}

}  // namespace

bool StateCopies::works_for(std::uint64_t run_number) const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [&](const Worker& one) { return one.run_number == run_number; });
}

bool StateCopies::start(const LaunchedRun& run, std::optional<LauncherRecord> started) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return false;
  UniqueFd reading(ends[0]);
  const UniqueFd writing(ends[1]);
  const CopyJob job{
      run.state().directory(), run.state().file(), writing.get(), run.state().size_max(),
      run.changed_identity(),  landlock_abi_,      ::getpid(),    started.has_value()};
  const pid_t pid = ::fork();
  if (pid < 0) return false;
  if (pid == 0) become_copy(job);
  workers_.push_back({pid, run.number(), std::move(started), std::move(reading)});
  return true;
}

bool StateCopies::fill(LaunchedRun& run, const LauncherRecord& started) {
  if (!run.state().wants_filling()) return false;
  if (start(run, started)) return true;
  static_cast<void>(run.state().filled("no process is to be had to copy it"));
  return false;
}

bool StateCopies::pack(LaunchedRun& run) {
  if (works_for(run.number())) return true;
  if (!run.state().wants_packing(run.is_ending())) return false;
  if (start(run, std::nullopt)) return true;
  run.state().packed("no process is to be had to copy it");
  return false;
}

std::optional<StateCopies::Ended> StateCopies::on_exit(pid_t pid, int status) {
  const auto found = std::find_if(workers_.begin(), workers_.end(),
                                  [pid](const Worker& one) { return one.pid == pid; });
  if (found == workers_.end()) return std::nullopt;
  Ended ended{found->run_number, std::move(found->started), problem_of(found->words.get(), status)};
  workers_.erase(found);
  return ended;
}

void StateCopies::abandon(std::uint64_t run_number) {
  for (const auto& worker : workers_) {
    if (worker.run_number == run_number) ::kill(worker.pid, SIGKILL);  // ours until we reaped it
  }
}

void StateCopies::end() {
  for (const auto& worker : workers_) ::kill(worker.pid, SIGKILL);
}

std::vector<pid_t> StateCopies::processes() const {
  std::vector<pid_t> all;
  for (const auto& worker : workers_) all.push_back(worker.pid);
  return all;
}

}  // namespace satellite::sandbox
