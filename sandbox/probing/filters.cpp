#include "sandbox/probing/probing.hpp"

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/probing/remedies.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

namespace satellite::sandbox {
namespace {

/// Runs `attempt` in a throw-away child; the errno it ended with, 0 = it worked.
int tried_in_child(int (*attempt)()) {
  const pid_t child = ::fork();
  if (child < 0) return errno;
  if (child == 0) ::_exit(attempt());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return errno;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

/// A filter that answers one harmless call with an errno nobody else would give for it.
int filter_works() {
  constexpr int sign = 93;
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | sign),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program{static_cast<unsigned short>(std::size(code)), code};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) return errno;
  return ::syscall(SYS_getppid) == -1 && errno == sign ? 0 : EIO;
}

/// A set of rules without a rule, put on a process: no directory can then be read.
int landlock_works() {
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = LANDLOCK_ACCESS_FS_READ_DIR;
  const UniqueFd rules(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0)));
  if (!rules) return errno;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  if (::syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0) return errno;
  const UniqueFd root(
      static_cast<int>(::syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY)));
  return !root && errno == EACCES ? 0 : EIO;
}

}  // namespace

void probe_seccomp(HostFacts& facts) {
  const int problem = tried_in_child(filter_works);
  set_finding(facts, "seccomp", problem == 0,
              problem == 0 ? "a filter was installed and obeyed" : std::strerror(problem),
              remedy_for(Primitive::seccomp, problem, read_host_signs()));
}

void probe_landlock(HostFacts& facts) {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  const int problem = version < 0 ? errno : tried_in_child(landlock_works);
  set_finding(facts, "landlock", problem == 0,
              problem == 0 ? "ABI " + std::to_string(version) + ", a rule set was enforced"
                           : std::strerror(problem),
              remedy_for(Primitive::landlock, problem, read_host_signs()));
}

}  // namespace satellite::sandbox
