#include "sandbox/planning/native_plan.hpp"

#include "sandbox/planning/account.hpp"
#include "sandbox/planning/file_system_types.hpp"
#include "sandbox/state/packed_state.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

namespace satellite::sandbox {
namespace {

constexpr std::uint64_t mebibyte = 1U << 20U;
// Memory of the host that a script may fill by files: enough for what checks stage in /tmp.
constexpr std::uint64_t temporary_bytes = 256 * mebibyte;
constexpr std::uint64_t shared_memory_bytes = 64 * mebibyte;
// For three directories; nobody can fill it.
constexpr std::uint64_t area_bytes = 64U << 10U;

/// Programs and libraries: the directories that every confined script is shown. On a merged /usr
/// most of them are links.
constexpr std::array shown_directories{"usr", "bin", "sbin", "lib", "lib64"};

/// All of /etc that a script sees: what resolvers, TLS, the dynamic linker, time zones, the
/// alternatives system and the common interpreters read. Nothing else of
/// /etc is shown: accounts, keys, service configuration. Certificates are where Debian, Red Hat,
/// SUSE, Arch and Alpine have them.
constexpr std::array etc_as_on_host{
    "ld.so.cache",
    "localtime",
    "timezone",
    "os-release",
    "alternatives",
    "ssl/certs",
    "ssl/cert.pem",
    "ssl/ca-bundle.pem",
    "ssl/openssl.cnf",
    "pki/tls/certs",
    "pki/tls/cert.pem",
    "pki/tls/openssl.cnf",
    "pki/ca-trust",
    "ca-certificates/extracted",
    "crypto-policies",
    "host.conf",
    "nsswitch.conf",
    "gai.conf",
    "protocols",
    "services",
    "networks",
    "mime.types",
    "locale.conf",
    "debian_version",
    "redhat-release",
    "alpine-release",
    "terminfo",
    "inputrc",
    "krb5.conf",
    "krb5.conf.d",
    "odbc.ini",
    "odbcinst.ini",
    "unixODBC",
    "wgetrc",
    "ssh/ssh_config",
    "ssh/ssh_config.d",
    "ssh/ssh_known_hosts",
    "snmp/snmp.conf",
    "php",
    "java",
    "java-8-openjdk",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "java-25-openjdk",
};
constexpr std::array etc_directories{"etc/ssl", "etc/pki",  "etc/pki/tls",
                                     "etc/ssh", "etc/snmp", "etc/ca-certificates"};
/// Often links into /run, where the script has nothing: their content instead.
constexpr std::array etc_copied{"hosts", "resolv.conf"};

/// What proc shows of the host besides processes. Read-only, although none of it is writable to an
/// unprivileged user: the mode of a file is the driver's choice, a read-only mount is ours.
constexpr std::array proc_read_only{"proc/sys", "proc/irq", "proc/bus", "proc/fs"};
constexpr std::array proc_masked_files{
    "proc/kcore", "proc/keys",          "proc/kallsyms",      "proc/timer_list",
    "proc/kmsg",  "proc/latency_stats", "proc/sysrq-trigger", "proc/sched_debug"};
constexpr std::array proc_masked_directories{"proc/acpi", "proc/scsi"};

struct Device {
  const char* name;
  std::uint64_t number;  ///< as mknod(2) takes it
};
constexpr std::uint64_t device_number(std::uint64_t major, std::uint64_t minor) {
  return (major << 8U) | minor;
}
constexpr std::array shown_devices{
    Device{"null", device_number(1, 3)},    Device{"zero", device_number(1, 5)},
    Device{"full", device_number(1, 7)},    Device{"random", device_number(1, 8)},
    Device{"urandom", device_number(1, 9)}, Device{"tty", device_number(5, 0)}};
constexpr std::array<std::pair<const char*, const char*>, 5> device_links{
    {{"dev/fd", "/proc/self/fd"},
     {"dev/stdin", "/proc/self/fd/0"},
     {"dev/stdout", "/proc/self/fd/1"},
     {"dev/stderr", "/proc/self/fd/2"},
     {"dev/ptmx", "pts/ptmx"}}};

constexpr const char* empty_file = ".empty";
constexpr const char* empty_directory = ".nothing";

class Steps {
 public:
  void add(FileStep step) { steps_.push_back(std::move(step)); }
  void directory(std::string target, std::uint32_t mode = 0755) {
    add({FileStepKind::directory, std::move(target), {}, 0, mode});
  }
  void text(std::string target, std::string content) {
    add({FileStepKind::text, std::move(target), std::move(content), 0, 0644});
  }
  void as_on_host(const std::string& target) {
    add({FileStepKind::mirror, target, "/" + target, 0, 0644, true});
  }
  /// Every directory on the way to `target`.
  void way_to(std::string_view target) {
    for (auto slash = target.find('/'); slash != target.npos; slash = target.find('/', slash + 1)) {
      std::string step(target.substr(0, slash));
      if (ways_.insert(step).second) directory(std::move(step));
    }
  }
  std::vector<FileStep> take() { return std::move(steps_); }

 private:
  std::vector<FileStep> steps_;
  std::set<std::string> ways_;
};

/// The steps of a confined run: what may be the same in all runs, and what belongs to one.
struct View {
  Steps root, own;
};

std::string without_root(const std::string& path) {
  return path.substr(path.find_first_not_of('/'));
}

bool lies_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

/// The account's home is the run's scratch directory, and its user may be the run's own.
void add_accounts(View& view, const NativeRequest& request) {
  const auto add = [&](const char* target, std::string content, bool is_shared) {
    if (is_shared || !request.shares_root) return view.root.text(target, std::move(content));
    view.root.add({FileStepKind::place, target, {}, 0, 0644});
    view.own.add({FileStepKind::own_text, target, std::move(content), 0, 0644});
  };
  auto passwd = passwd_text(request.identity, request.scratch_directory);
  auto group = group_text(request.identity);
  passwd += accounts_beside(passwd, request.host_passwd);
  group += accounts_beside(group, request.host_group);
  add("etc/passwd", std::move(passwd), false);
  add("etc/group", std::move(group), !request.own_identity);
}

void add_etc(Steps& steps, const NativeRequest& request) {
  steps.directory("etc");
  for (const char* path : etc_directories) steps.directory(path);
  for (const char* path : etc_as_on_host) steps.as_on_host(std::string("etc/") + path);
  for (const char* path : etc_copied) {
    const std::string target = std::string("etc/") + path;
    steps.add({FileStepKind::copy, target, "/" + target, 0, 0644, true});
  }
  if (!request.hosts_addition.empty()) {
    steps.add({FileStepKind::append, "etc/hosts", request.hosts_addition, 0, 0644});
  }
  steps.add({FileStepKind::link, "etc/mtab", "/proc/self/mounts"});
  if (!request.host_name.empty()) steps.text("etc/hostname", request.host_name + "\n");
}

/// What proc is masked with: mounts of their own, whose flags each mask then has.
void add_masks(Steps& steps) {
  steps.text(empty_file, {});
  steps.add({FileStepKind::read_only, empty_file, {}});
  steps.directory(empty_directory, 0555);
  steps.add({FileStepKind::read_only, empty_directory, {}});
}

/// What the operator shows of the host, each at its place.
void add_shown(Steps& steps, const ShownHost& shown) {
  // Made before what lies in it, else a bind would make a directory of it.
  if (shown.links_var_run) {
    steps.way_to("var/");
    steps.add({FileStepKind::link, "var/run", "/run"});
  }
  for (const auto& path : shown.paths) {
    const std::string target = without_root(path.target);
    steps.way_to(target);
    const auto kind = path.executable ? FileStepKind::shown_programs : FileStepKind::shown;
    steps.add({kind, target, path.source, 0, 0755, true});
  }
  for (const auto& path : shown.masked_directories) {
    steps.add({FileStepKind::mask, without_root(path), empty_directory, 0, 0, true});
  }
  for (const auto& path : shown.masked_files) {
    steps.add({FileStepKind::mask, without_root(path), empty_file, 0, 0, true});
  }
}

/// As statx(2) has it, in one number; 0 where it tells another one than mountinfo.
std::uint64_t device_of(const ShownDisk& disk) {
  if (has_subvolumes(disk.type)) return 0;
  const auto colon = disk.device.find(':');
  std::uint64_t major = 0, minor = 0;
  const char* const end = disk.device.data() + disk.device.size();
  if (colon == std::string::npos) return 0;
  std::from_chars(disk.device.data(), disk.device.data() + colon, major);
  std::from_chars(disk.device.data() + colon + 1, end, minor);
  return (major << 32U) | minor;
}

/// File systems of the host. The one of its root is the run's root (NativePlan::root_on_disk).
void add_disks(Steps& steps, const ShownDisks& shown) {
  for (const auto& disk : shown.disks) {
    if (disk.target == "/") continue;
    const std::string target = without_root(disk.target);
    steps.way_to(target);
    const std::uint32_t is_guarded = disk.is_roots_alone ? 1 : 0;
    steps.add({FileStepKind::disk, target, disk.target, device_of(disk), is_guarded, true});
  }
}

/// Entered by everybody who knows what to look for, listed by nobody: an empty list would be a lie.
void add_known_places(Steps& steps, const ShownDisks& shown) {
  for (const auto& place : shown.places) steps.directory(without_root(place), 0111);
}

/// Before anything is made in them.
void add_covers(Steps& steps, const ShownDisks& shown) {
  for (const auto& cover : shown.covers) {
    const std::string target = without_root(cover);
    steps.way_to(target);
    steps.add({FileStepKind::memory, target, {}, area_bytes, 0755});
  }
}

void seal_covers(Steps& steps, const ShownDisks& shown) {
  for (auto cover = shown.covers.rbegin(); cover != shown.covers.rend(); ++cover) {
    steps.add({FileStepKind::seal, without_root(*cover), {}});
  }
}

/// Settings of the run's own namespaces.
void add_settings(Steps& steps, const NativeRequest& request) {
  if (!request.launcher_is_root) {
    // One level for the script's own user namespace, in which it has no privilege; none below.
    steps.add({FileStepKind::setting, "proc/sys/user/max_user_namespaces", "1"});
  }
  // Init may not change the settings of a network that another user namespace owns.
  const bool changes_network =
      request.own_network && (request.launcher_is_root || !request.enters_network);
  if (changes_network && request.identity) {
    const std::string gid = std::to_string(request.identity->gid);
    steps.add(
        {FileStepKind::setting, "proc/sys/net/ipv4/ping_group_range", gid + " " + gid, 0, 0, true});
  }
}

void add_proc_masks(Steps& steps) {
  for (const char* path : proc_masked_files) {
    steps.add({FileStepKind::mask, path, empty_file, 0, 0, true});
  }
  for (const char* path : proc_masked_directories) {
    steps.add({FileStepKind::mask, path, empty_directory, 0, 0, true});
  }
}

/// The settings go in before proc/sys is sealed.
void add_proc(Steps& steps, const NativeRequest& request) {
  steps.add({FileStepKind::processes, "proc", {}, 0, 0555});
  add_settings(steps, request);
  for (const char* path : proc_read_only) {
    steps.add({FileStepKind::read_only, path, {}, 0, 0, true});
  }
  if (request.confined) add_proc_masks(steps);
}

/// The host's /proc is read-only as a whole, and the same for all such runs; they write their
/// settings by way of a descriptor.
void add_host_processes(View& view, const NativeRequest& request) {
  view.root.add({FileStepKind::host_processes, "proc", "/proc", 0, 0555});
  for (const auto& mount : request.shown.mounted_in_proc) {
    view.root.add({FileStepKind::mask, without_root(mount.target),
                   mount.is_directory ? empty_directory : empty_file, 0, 0, true});
  }
  add_proc_masks(view.root);
  add_settings(view.own, request);
}

/// Root makes device nodes: a tenth of the cost of a bind, and what a run does to their owner or
/// times reaches no other one, because it can do nothing: their file system is read-only.
void add_devices(View& view, const NativeRequest& request) {
  view.root.directory("dev");
  const auto kind = request.launcher_is_root ? FileStepKind::node : FileStepKind::device;
  for (const auto& device : shown_devices) {
    const std::string target = std::string("dev/") + device.name;
    view.root.add({kind, target, "/" + target, device.number, 0666, false, true});
  }
  for (const auto& [name, to] : device_links) view.root.add({FileStepKind::link, name, to});
  view.own.add({FileStepKind::terminals, "dev/pts", {}, 0, 0755, false, true});
  view.own.add({FileStepKind::memory, "dev/shm", {}, shared_memory_bytes, 01777, false, true});
}

/// The places of what each run mounts for itself.
void add_places(Steps& root) {
  for (const char* path : {"proc", "dev/pts", "dev/shm", "tmp"}) root.directory(path);
}

/// `/a/b/c` -> `/a/b`; a path without a slash stays.
std::string parent_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

void add_scratch(View& view, const NativeRequest& request) {
  const std::string target = without_root(request.scratch_directory);
  // It often lies below /tmp, which is the run's own already. Elsewhere the last two directories,
  // which are named after the run, get a small memory file system.
  const bool needs_area = request.shares_root && !lies_below(target, "tmp");
  const std::string area = parent_of(parent_of(target));
  if (needs_area) {
    view.root.way_to(area + "/");
    view.own.add({FileStepKind::memory, area, {}, area_bytes, 0755});
  }
  view.own.way_to(target);
  if (request.scratch_bytes) {
    view.own.add({FileStepKind::memory, target, {}, *request.scratch_bytes, 0700, false, true});
  } else {
    view.own.add({FileStepKind::bind, target, request.scratch_directory, 0, 0700, false, true});
  }
  if (needs_area) view.own.add({FileStepKind::seal, area, {}});
}

/// Empty when the run's root is made; what the check kept is copied in before its script starts.
void add_state(View& view, const NativeRequest& request) {
  if (request.state_bytes == 0) return;
  const std::string target = without_root(std::string(state_directory));
  if (request.shares_root) view.root.directory(target);
  view.own.add({FileStepKind::memory, target, {}, request.state_bytes, 0700, false, true});
}

/// Whether everything that belongs to one run can be had without the host's mounts: its scratch
/// directory is handed in, and what lies below that is then there.
bool add_read_only_paths(View& view, const NativeRequest& request) {
  bool has_it_all = true;
  for (const auto& path : request.read_only_paths) {
    const std::string target = without_root(path);
    const bool is_scratch = lies_below(path, request.scratch_directory);
    const bool is_own = is_scratch || lies_below(target, "tmp");
    has_it_all = has_it_all && (is_scratch || !is_own);
    Steps& steps = is_own || !request.shares_root ? view.own : view.root;
    steps.way_to(target);
    steps.add({FileStepKind::bind, target, path, 0, 0755});
  }
  return has_it_all;
}

void add_own_files(Steps& steps, const OwnFiles& files) {
  for (const auto& [path, content] : files.texts) {
    const std::string target = without_root(path);
    steps.way_to(target);
    steps.text(target, content);
  }
  if (!files.node_modules.empty()) {
    steps.add({FileStepKind::bind, "node_modules", files.node_modules, 0, 0755});
  }
}

}  // namespace

NativePlan plan_native(const NativeRequest& request) {
  NativePlan plan;
  plan.confined = request.confined;
  plan.own_network = request.own_network;
  plan.root_owned = request.launcher_is_root;
  Steps steps;
  if (!request.confined) {
    add_proc(steps, request);
    plan.steps = steps.take();
    return plan;
  }
  View view;
  for (const char* path : shown_directories) view.root.as_on_host(path);
  add_etc(view.root, request);
  add_masks(view.root);
  add_covers(view.root, request.shown.disks);
  add_shown(view.root, request.shown);
  add_disks(view.root, request.shown.disks);
  add_known_places(view.root, request.shown.disks);
  plan.shows_processes = request.shown.processes;
  if (plan.shows_processes) {
    add_host_processes(view, request);
  } else {
    add_proc(view.own, request);
  }
  add_devices(view, request);
  if (request.shares_root) add_places(view.root);
  view.own.add({FileStepKind::memory, "tmp", {}, temporary_bytes, 01777, false, true});
  add_scratch(view, request);
  add_state(view, request);
  add_accounts(view, request);
  add_own_files(view.root, request.own_files);
  const bool is_shared = add_read_only_paths(view, request) && request.shares_root;
  seal_covers(view.root, request.shown.disks);
  const auto& disks = request.shown.disks.disks;
  plan.root_on_disk = !disks.empty() && disks.front().target == "/";
  plan.steps = view.root.take();
  if (is_shared) plan.root_steps = static_cast<std::uint32_t>(plan.steps.size());
  for (auto& step : view.own.take()) plan.steps.push_back(std::move(step));
  return plan;
}

std::vector<std::string> writable_paths(const NativeRequest& request) {
  if (!request.confined) return {};
  std::vector<std::string> paths{"/tmp", "/dev", request.scratch_directory};
  if (request.state_bytes > 0) paths.emplace_back(state_directory);
  return paths;
}

std::vector<ReadablePath> readable_paths(const NativeRequest& request) {
  if (!request.confined || request.shown.empty()) return {};
  std::vector<ReadablePath> paths;
  paths.reserve(shown_directories.size());
  for (const char* path : shown_directories) paths.push_back({std::string("/") + path, true});
  for (const char* path : {"/etc", "/proc", "/dev", "/tmp"}) paths.push_back({path, true});
  paths.push_back({request.scratch_directory, true});
  if (request.state_bytes > 0) paths.push_back({std::string(state_directory), true});
  for (const auto& path : request.read_only_paths) paths.push_back({path, true});
  // With its directory, which bun lists before it reads a file in it.
  for (const auto& text : request.own_files.texts) paths.push_back({parent_of(text.path), false});
  if (!request.own_files.node_modules.empty()) paths.push_back({"/node_modules", true});
  for (const auto& shown : request.shown.paths) paths.push_back({shown.target, shown.executable});
  return paths;
}

std::vector<MemorySize> memory_sizes(const std::vector<FileStep>& steps) {
  std::vector<MemorySize> sizes;
  for (const auto& step : steps) {
    const bool can_be_filled = step.kind == FileStepKind::memory && step.writable;
    if (can_be_filled) sizes.push_back({"/" + step.target, step.size});
  }
  return sizes;
}

std::string describe_step(const FileStep& step) {
  static constexpr std::array names{
      "directory",       "link",      "text",   "copy",      "mirror", "bind",          "device",
      "memory",          "proc",      "devpts", "read-only", "mask",   "setting",       "place",
      "device",          "append to", "text",   "seal",      "show",   "show programs", "disk",
      "proc of the host"};
  static_assert(names.size() == static_cast<std::size_t>(FileStepKind::last) + 1);
  std::string text = names[static_cast<std::size_t>(step.kind)];
  text += " /" + step.target;
  if (step.kind == FileStepKind::memory)
    text += " of at most " + std::to_string(step.size) + " bytes";
  if (step.kind == FileStepKind::link) text += " -> " + step.source;
  if (step.kind == FileStepKind::setting) text += " = " + step.source;
  if (step.kind == FileStepKind::bind) text += step.writable ? " writable" : " read-only";
  return text;
}

}  // namespace satellite::sandbox
