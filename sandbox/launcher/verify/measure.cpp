#include "sandbox/launcher/verify/measure.hpp"

#include "protocol/vocabulary/directory.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/kernel/proc_facts.hpp"
#include "sandbox/launcher/verify/route_table.hpp"
#include "sandbox/state/packed_state.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

namespace satellite::sandbox {
namespace {

constexpr std::array<const char*, 7> namespace_paths{"ns/user", "ns/mnt", "ns/pid",   "ns/ipc",
                                                     "ns/uts",  "ns/net", "ns/cgroup"};

Result<FileIdentity> identity_of(int directory, const char* path) {
  struct stat facts {};
  if (::fstatat(directory, path, &facts, 0) != 0) return error_from_errno(path, errno);
  return FileIdentity{facts.st_dev, facts.st_ino};
}

Result<NamespaceIdentities> namespaces_of(int process) {
  NamespaceIdentities identities;
  for (std::size_t i = 0; i < identities.size(); ++i) {
    const auto identity = identity_of(process, namespace_paths[i]);
    if (!identity) return identity.error();
    identities[i] = *identity;
  }
  return identities;
}

/// Ids, capabilities and filters of the process; returns the pid of its parent, from the same file.
Result<pid_t> measure_status(int process, Posture& posture) {
  const auto text = kernel::read_small_file(process, "status");
  if (!text) return text.error();
  const auto status = kernel::parse_status(*text);
  if (!status) return status.error();
  posture.uid = status->uid;
  posture.gid = status->gid;
  posture.supplementary_groups = static_cast<std::uint32_t>(status->groups.size());
  posture.capabilities = status->capabilities;
  posture.no_new_privileges = status->no_new_privileges;
  posture.seccomp_mode = status->seccomp_mode;
  posture.seccomp_filters = status->seccomp_filters;
  return status->parent;
}

Result<void> measure_namespaces(int process, const OwnSurroundings& own, Posture& posture) {
  const auto seen = namespaces_of(process);
  if (!seen) return seen.error();
  bool* const flags[] = {&posture.own_user,  &posture.own_mount, &posture.own_pid,
                         &posture.own_ipc,   &posture.own_uts,   &posture.own_network,
                         &posture.own_cgroup};
  for (std::size_t i = 0; i < seen->size(); ++i) *flags[i] = (*seen)[i] != own.namespaces[i];
  const auto root = identity_of(process, "root/.");
  if (!root) return root.error();
  posture.own_root = *root != own.root;
  return {};
}

/// Of init only the status is read, which anybody may; its other files are closed to others.
Result<void> measure_init(pid_t init, Posture& posture) {
  const auto text =
      kernel::read_small_file(AT_FDCWD, ("/proc/" + std::to_string(init) + "/status").c_str());
  if (!text) return text.error();
  const auto status = kernel::parse_status(*text);
  if (!status) return status.error();
  posture.init_seccomp_mode = status->seccomp_mode;
  posture.init_uid = status->uid;
  return {};
}

/// Whether the script's user namespace owns its network namespace, as the kernel says
/// (ioctl_ns(2)).
Result<void> measure_network_owner(int process, Posture& posture) {
  const UniqueFd network(::openat(process, "ns/net", O_RDONLY | O_CLOEXEC));
  if (!network) return error_from_errno("open ns/net", errno);
  const UniqueFd owner(::ioctl(network.get(), NS_GET_USERNS));
  struct stat facts {};
  if (!owner || ::fstat(owner.get(), &facts) != 0) {
    return error_from_errno("the owner of ns/net", errno);
  }
  const auto scripts = identity_of(process, "ns/user");
  if (!scripts) return scripts.error();
  posture.owns_network = posture.own_user && *scripts == FileIdentity{facts.st_dev, facts.st_ino};
  return {};
}

Result<void> measure_network(int process, Posture& posture) {
  const auto text = kernel::read_small_file(process, "net/dev");
  if (!text) return text.error();
  auto interfaces = kernel::parse_interfaces(*text);
  if (!interfaces) return interfaces.error();
  posture.interfaces = *std::move(interfaces);
  posture.network_read = true;
  return {};
}

/// Filter and routes of a network made for this run: the filter was read back by the builder of
/// this very namespace, and nobody who could change it is left.
Result<void> measure_filtered_network(int process, const NetworkFacts& made, Posture& posture) {
  const auto seen = identity_of(process, "ns/net");
  if (!seen) return seen.error();
  if (*seen != made.network_namespace) return {};
  posture.filter_rules = made.filter_rules;
  const auto routes = kernel::read_small_file(process, "net/route");
  if (!routes) return routes.error();
  posture.routes = describe_routes(*routes);
  return {};
}

/// Which file systems are also mounted elsewhere: by the host, or in runs that share the same root.
struct Others {
  const OwnSurroundings& launcher;
  const std::set<std::string>* shared = nullptr;

  bool have(const std::string& device) const {
    return launcher.mounted_devices.contains(device) ||
           (shared != nullptr && shared->contains(device));
  }
};

/// Writable is what the run owns alone: fresh memory filesystems, its scratch directory, its own
/// proc and terminals, and the few device nodes. All else came from the host and must be read-only.
bool may_be_writable(const kernel::MountEntry& mount, std::string_view scratch_directory,
                     const Others& others) {
  constexpr std::array<std::string_view, 6> private_targets{"/",        "/tmp", "/dev",
                                                            "/dev/shm", "/run", state_directory};
  constexpr std::array<std::string_view, 6> device_nodes{"/dev/null",   "/dev/zero",    "/dev/full",
                                                         "/dev/random", "/dev/urandom", "/dev/tty"};
  const auto is_target = [&](std::string_view target) { return target == mount.target; };
  if (!scratch_directory.empty() && mount.target == scratch_directory) return true;
  if (std::any_of(device_nodes.begin(), device_nodes.end(), is_target)) return true;
  if (others.have(mount.device)) return false;
  if (mount.type == "tmpfs" && (mount.root == "/" || mount.root == "/newroot")) {
    return std::any_of(private_targets.begin(), private_targets.end(), is_target);
  }
  if (mount.type == "proc") return mount.target == "/proc";
  return mount.type == "devpts" && mount.target == "/dev/pts";
}

/// Asked of the mounted file system itself: mountinfo names a size only where it is not the usual
/// half of all memory.
Result<void> measure_memory(int process, const kernel::MountEntry& mount, Posture& posture) {
  const std::string path = "root" + mount.target;
  const UniqueFd place(::openat(process, path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct statfs facts {};
  if (!place || ::fstatfs(place.get(), &facts) != 0) return error_from_errno(mount.target, errno);
  posture.memory_sizes.push_back({mount.target, static_cast<std::uint64_t>(facts.f_blocks) *
                                                    static_cast<std::uint64_t>(facts.f_bsize)});
  return {};
}

/// Which file systems of the host are there as they have to be. What a path leads to is the last
/// mount at its place.
std::uint64_t shown_among(const std::vector<kernel::MountEntry>& mounts,
                          const std::vector<ShownDisk>& disks) {
  std::uint64_t shown = 0;
  for (std::size_t i = 0; i < disks.size(); ++i) {
    const ShownDisk& disk = disks[i];
    const auto found = std::find_if(mounts.rbegin(), mounts.rend(), [&disk](const auto& mount) {
      return mount.target == disk.target;
    });
    const bool is_shown = found != mounts.rend() && found->device == disk.device &&
                          found->type == disk.type && found->read_only && found->no_suid &&
                          found->no_device;
    if (is_shown) shown |= std::uint64_t{1} << i;
  }
  return shown;
}

/// Whether what is seen at /proc is what the launcher sees there, and takes no write.
bool shows_processes(const std::vector<kernel::MountEntry>& mounts, const OwnSurroundings& own) {
  const auto found = std::find_if(mounts.rbegin(), mounts.rend(),
                                  [](const auto& mount) { return mount.target == "/proc"; });
  return found != mounts.rend() && found->type == "proc" && found->root == "/" &&
         found->device == own.processes_device && found->read_only && found->no_suid;
}

Result<void> measure_mounts(int process, const MeasureRequest& request, const Others& others,
                            Posture& posture) {
  const auto text = kernel::read_small_file(process, "mountinfo");
  if (!text) return text.error();
  const auto mounts = kernel::parse_mountinfo(*text);
  if (!mounts) return mounts.error();
  if (request.disks != nullptr) posture.shown_disks = shown_among(*mounts, *request.disks);
  posture.shows_processes = shows_processes(*mounts, others.launcher);
  for (const auto& mount : *mounts) {
    // The empty proc of a root template, which the run's own proc covers; only a launcher without
    // root has it.
    const bool is_hidden = mount.type == "proc" && mount.target == "/proc" &&
                           others.shared != nullptr && others.shared->contains(mount.device) &&
                           kernel::is_covered(mount, *mounts);
    if (is_hidden) continue;
    ++posture.mounts;
    if (mount.target == "/tmp") {
      posture.private_tmp =
          mount.type == "tmpfs" && mount.root == "/" && !others.have(mount.device);
    }
    if (mount.target == "/") posture.root_sealed = mount.read_only && mount.no_suid;
    if (!mount.read_only && !may_be_writable(mount, request.scratch_directory, others)) {
      posture.unexpected_writable_mounts.push_back(mount.target);
    }
    const bool is_fresh = mount.type == "tmpfs" && mount.root == "/" && !others.have(mount.device);
    if (!mount.read_only && is_fresh) {
      const auto measured = measure_memory(process, mount, posture);
      if (!measured) return measured.error();
    }
  }
  posture.mounts_read = true;
  return {};
}

/// By a call where we may, which a root without CAP_SYS_RESOURCE may not; it costs a tenth.
bool ask_for_limits(pid_t pid, Posture& posture) {
  constexpr std::array resources{RLIMIT_CPU, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_FSIZE};
  for (std::size_t i = 0; i < resources.size(); ++i) {
    rlimit limit{};
    if (::prlimit(pid, resources[i], nullptr, &limit) != 0) return false;
    posture.limits[i] = {limit.rlim_cur, limit.rlim_max};
  }
  return true;
}

Result<void> measure_limits(int process, pid_t pid, Posture& posture) {
  if (ask_for_limits(pid, posture)) return {};
  const auto text = kernel::read_small_file(process, "limits");
  if (!text) return text.error();
  constexpr std::array<std::string_view, 4> names{"Max cpu time", "Max open files", "Max processes",
                                                  "Max file size"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto limit = kernel::find_limit(*text, names[i]);
    if (!limit) return limit.error();
    posture.limits[i] = {limit->soft, limit->hard};
  }
  return {};
}

Result<void> measure_descriptors(int process, Posture& posture) {
  // Since Linux 6.2 the directory's size is their number; before that it is 0.
  struct stat facts {};
  if (::fstatat(process, "fd", &facts, 0) == 0 && facts.st_size > 0) {
    posture.open_descriptors = static_cast<std::uint32_t>(facts.st_size);
    return {};
  }
  UniqueFd fd(::openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return error_from_errno("open fd", errno);
  const Directory directory(::fdopendir(fd.get()));
  if (!directory) return error_from_errno("read fd", errno);
  static_cast<void>(fd.release());
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] != '.') ++posture.open_descriptors;
  }
  return {};
}

}  // namespace

Result<OwnSurroundings> read_own_surroundings() {
  const UniqueFd self(::open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!self) return error_from_errno("open /proc/self", errno);
  OwnSurroundings own;
  const auto namespaces = namespaces_of(self.get());
  if (!namespaces) return namespaces.error();
  own.namespaces = *namespaces;
  const auto root = identity_of(AT_FDCWD, "/.");
  if (!root) return root.error();
  own.root = *root;
  const auto text = kernel::read_small_file(self.get(), "mountinfo");
  if (!text) return text.error();
  const auto mounts = kernel::parse_mountinfo(*text);
  if (!mounts) return mounts.error();
  for (const auto& mount : *mounts) {
    own.mounted_devices.insert(mount.device);
    if (mount.target == "/proc") own.processes_device = mount.device;
  }
  return own;
}

Result<Posture> measure(const MeasureRequest& request, const OwnSurroundings& own) {
  const std::string path = "/proc/" + std::to_string(request.pid);
  const UniqueFd process(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!process) return error_from_errno("open " + path, errno);
  Posture posture;
  posture.expected_descriptors = request.expected_descriptors;
  const auto parent = measure_status(process.get(), posture);
  if (!parent) return parent.error();
  auto done = measure_namespaces(process.get(), own, posture);
  if (done && posture.own_network) done = measure_network(process.get(), posture);
  if (done && posture.own_network) done = measure_network_owner(process.get(), posture);
  const pid_t init = request.init_is_parent ? *parent : request.init;
  if (done && init > 0) done = measure_init(init, posture);
  if (done && posture.own_network && request.network) {
    done = measure_filtered_network(process.get(), *request.network, posture);
  }
  if (done && posture.own_mount) {
    const Others others{own, request.shared_devices};
    done = measure_mounts(process.get(), request, others, posture);
  }
  if (done) done = measure_limits(process.get(), request.pid, posture);
  if (done) done = measure_descriptors(process.get(), posture);
  if (done && request.leaf != nullptr) {
    const auto cgroup = request.leaf->measure(process.get());
    if (!cgroup) return cgroup.error();
    posture.cgroup = *cgroup;
  }
  if (!done) return done.error();
  return posture;
}

Result<Posture> measure_again(const MeasureRequest& request, Posture before) {
  const std::string path = "/proc/" + std::to_string(request.pid);
  const UniqueFd process(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!process) return error_from_errno("open " + path, errno);
  before.expected_descriptors = request.expected_descriptors;
  before.open_descriptors = 0;
  const auto parent = measure_status(process.get(), before);
  if (!parent) return parent.error();
  const auto done = measure_descriptors(process.get(), before);
  if (!done) return done.error();
  if (request.leaf == nullptr) return before;
  // Its limits are files, which others of the same user may have been able to write meanwhile.
  const auto cgroup = request.leaf->measure(process.get());
  if (!cgroup) return cgroup.error();
  before.cgroup = *cgroup;
  return before;
}

}  // namespace satellite::sandbox
