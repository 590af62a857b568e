#include "sandbox/launcher/process/parent_namespaces.hpp"

#include "sandbox/launcher/bare/hardening.hpp"
#include "sandbox/launcher/bare/rootfs.hpp"
#include "sandbox/launcher/process/namespace_builder.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <cerrno>

namespace satellite::sandbox {
namespace {

void enter_new(const bare::Attempt& attempt, int kind) {
  if (::unshare(kind) != 0) attempt.give_up(SetupStep::namespaces, 0, -errno);
}

void make_user_namespace(const bare::Attempt& attempt, const Identity& own) {
  enter_new(attempt, CLONE_NEWUSER);
  // The files of /proc/self belong to us only while we are dumpable.
  ::prctl(PR_SET_DUMPABLE, 1);
  const auto alone = [](std::uint32_t id) {
    return std::to_string(id) + " " + std::to_string(id) + " 1";
  };
  const std::string uids = alone(own.uid), gids = alone(own.gid);
  bare::write_id_maps(attempt, {uids.c_str(), gids.c_str()});
  ::prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace

void make_parent_namespaces(const std::string& scratch_area, const Identity& own,
                            int user_namespace, int socket) {
  const bool is_inside = user_namespace >= 0;
  if (is_inside && ::setns(user_namespace, CLONE_NEWUSER) != 0) ::_exit(1);
  become_builder(socket);
  constexpr Fault no_fault{};
  const bare::Attempt attempt(no_fault, builder_answer_fd);
  if (!is_inside) make_user_namespace(attempt, own);
  enter_new(attempt, CLONE_NEWNS);
  const int user = ::open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
  const int mounts = ::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  bare::PreparedStep area;
  area.kind = FileStepKind::bind;
  // Relative, as all targets of a root that is being built.
  area.target = reinterpret_cast<std::uint64_t>(area_in_parent_mounts + 1);
  area.source = reinterpret_cast<std::uint64_t>(scratch_area.c_str());
  area.writable = 1;
  bare::NativeSetup setup;
  setup.steps = &area;
  setup.step_count = setup.root_step_count = 1;
  setup.confined = true;
  bare::build_template(attempt, setup);
  const int area_seen = ::open(area_in_parent_mounts, O_PATH | O_DIRECTORY | O_CLOEXEC);
  const int made[] = {user, mounts, area_seen};
  if (user < 0 || mounts < 0 || area_seen < 0) attempt.give_up(SetupStep::namespaces, 1, -errno);
  say_ready_and_wait(made);
}

}  // namespace satellite::sandbox
