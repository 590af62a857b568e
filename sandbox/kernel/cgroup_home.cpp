#include "sandbox/kernel/cgroup_home.hpp"

#include "sandbox/kernel/cgroup_leaf.hpp"
#include "sandbox/kernel/cgroup_text.hpp"
#include "sandbox/kernel/proc_facts.hpp"
#include "sandbox/kernel/tree_removal.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <cerrno>
#include <optional>
#include <string_view>

namespace satellite::sandbox::kernel {
namespace {

// A process may fork while it is moved. If new ones appear after this many rounds, the group holds
// something else than the satellite.
constexpr int rounds_max = 16;

Error unsupported(std::string why) {
  return Error{ErrorCode::unsupported, std::move(why)};
}

/// systemd marks what it gave away: `user.` for everybody to read since 251, `trusted.` before.
bool has_delegation_mark(int group) {
  for (const char* name : {"user.delegate", "trusted.delegate"}) {
    char value[8] = {};
    const ssize_t size = ::fgetxattr(group, name, value, sizeof(value));
    if (size > 0 && std::string_view(value, static_cast<std::size_t>(size)) == "1") return true;
  }
  return false;
}

GroupFacts facts_of(int group) {
  struct stat facts {};
  if (::fstat(group, &facts) != 0) return {static_cast<uid_t>(-1), false};
  return {facts.st_uid, has_delegation_mark(group)};
}

std::string above(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

Result<UniqueFd> open_group(const std::string& directory) {
  UniqueFd fd(::open(directory.c_str(), directory_flags));
  if (!fd) return error_from_errno("open " + directory, errno);
  struct statfs facts {};
  if (::fstatfs(fd.get(), &facts) != 0 || facts.f_type != CGROUP2_SUPER_MAGIC) {
    return unsupported(directory + " is no group of cgroup v2");
  }
  return fd;
}

Result<void> move_all(int from, int to) {
  const auto processes = read_small_file(from, "cgroup.procs");
  if (!processes) return processes.error();
  for (std::size_t at = 0; at < processes->size();) {
    const std::string pid = processes->substr(at, processes->find('\n', at) - at);
    at += pid.size() + 1;
    const auto moved = write_group_file(to, "cgroup.procs", pid);
    // One that ended meanwhile (ESRCH) needs no move; others come up again in the next round.
    if (!moved && moved.error().code == ErrorCode::not_permitted) return moved.error();
  }
  return {};
}

}  // namespace

Result<CgroupHome> find_cgroup_home() {
  const auto membership = read_small_file(AT_FDCWD, "/proc/self/cgroup");
  if (!membership) return membership.error();
  const auto path = unified_path(*membership);
  if (!path) return unsupported("this process is in no group of cgroup v2");
  const auto mounts = read_small_file(AT_FDCWD, "/proc/self/mountinfo");
  if (!mounts) return mounts.error();
  const auto directory = mounted_path(*mounts, *path);
  if (!directory) return unsupported("no cgroup v2 file system is mounted where " + *path + " is");
  auto own = open_group(*directory);
  if (!own) return own.error();

  GroupPosition position;
  position.own_name = std::string_view(*path).substr(path->rfind('/') + 1);
  position.own = facts_of(own->get());
  auto parent = mounted_path(*mounts, above(*path)) ? open_group(above(*directory))
                                                    : Result<UniqueFd>(unsupported("not mounted"));
  if (*path != "/" && parent) position.parent = facts_of(parent->get());
  position.user = ::geteuid();
  position.systemd_runs = ::access("/run/systemd/system", F_OK) == 0;
  switch (base_for(position)) {
    case GroupBase::own:
      return CgroupHome{*std::move(own), *path, true};
    case GroupBase::parent:
      return CgroupHome{*std::move(parent), above(*path), false};
    case GroupBase::none:
      break;
  }
  return unsupported("the control group " + *path + " was not delegated to the satellite");
}

Result<void> clear_of_processes(const CgroupHome& home) {
  const int group = home.directory.get();
  if (::faccessat(group, "cgroup.type", F_OK, 0) != 0) return {};
  const std::string name(supervisor_group);
  if (::mkdirat(group, name.c_str(), 0755) != 0 && errno != EEXIST) {
    return error_from_errno("make the control group " + home.path + "/" + name, errno);
  }
  const UniqueFd supervisor(::openat(group, name.c_str(), directory_flags));
  if (!supervisor) return error_from_errno("open the control group " + name, errno);
  for (int round = 0; round < rounds_max; ++round) {
    if (auto moved = move_all(group, supervisor.get()); !moved) return moved;
    const auto left = read_small_file(group, "cgroup.procs");
    if (left && left->empty()) return {};
  }
  return Error{ErrorCode::unavailable, "the control group " + home.path + " keeps other processes"};
}

}  // namespace satellite::sandbox::kernel
