#include "sandbox/launcher/process/namespace_probe.hpp"

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/bare/hardening.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstdio>

namespace satellite::sandbox {
namespace {

struct ChildReport {
  SetupStep step = SetupStep::none;
  std::int32_t error_number = 0;
};

/// What the child writes into its maps; made before the fork.
struct MapTexts {
  std::array<char, 64> uid{}, gid{};
};

bool become(const Identity& identity) {
  return ::setgroups(0, nullptr) == 0 &&
         ::setresgid(identity.gid, identity.gid, identity.gid) == 0 &&
         ::setresuid(identity.uid, identity.uid, identity.uid) == 0 &&
         // The maps in /proc belong to us only while we are dumpable; the change of ids ended that.
         ::prctl(PR_SET_DUMPABLE, 1) == 0;
}

SetupStep failing_step(const std::optional<Identity>& identity, const MapTexts& maps) {
  if (identity && !become(*identity)) return SetupStep::user_id;
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) != 0) return SetupStep::namespaces;
  const auto mapped = bare::write_id_maps({maps.uid.data(), maps.gid.data()});
  if (mapped.result < 0) {
    errno = static_cast<int>(-mapped.result);
    return SetupStep::identity_map;
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=4k") != 0) {
    return SetupStep::mount;
  }
  return SetupStep::none;
}

}  // namespace

SetupResult<void> try_namespaces(const std::optional<Identity>& identity) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return RunSetupFailed{SetupStep::prepare, 0, errno, {}};
  const UniqueFd reading(ends[0]), writing(ends[1]);
  const Identity mapped = identity.value_or(Identity{::geteuid(), ::getegid()});
  MapTexts maps;
  std::snprintf(maps.uid.data(), maps.uid.size(), "0 %u 1", mapped.uid);
  std::snprintf(maps.gid.data(), maps.gid.size(), "0 %u 1", mapped.gid);
  const pid_t pid = ::fork();
  if (pid < 0) return RunSetupFailed{SetupStep::fork, 0, errno, {}};
  if (pid == 0) {
    ChildReport report;
    report.step = failing_step(identity, maps);
    report.error_number = report.step == SetupStep::none ? 0 : errno;
    const ssize_t told = ::write(writing.get(), &report, sizeof(report));
    ::_exit(told == static_cast<ssize_t>(sizeof(report)) ? 0 : 1);
  }
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  ChildReport report;
  ::fcntl(reading.get(), F_SETFL, O_NONBLOCK);
  if (::read(reading.get(), &report, sizeof(report)) != static_cast<ssize_t>(sizeof(report))) {
    return RunSetupFailed{SetupStep::fork, 0, 0, "the probe died"};
  }
  if (report.step == SetupStep::none) return {};
  return RunSetupFailed{report.step, 0, report.error_number, {}};
}

}  // namespace satellite::sandbox
