#include "sandbox/planning/native_plan.hpp"

#include "sandbox/planning/account.hpp"

#include <array>
#include <utility>

namespace satellite::sandbox {
namespace {

constexpr std::uint64_t mebibyte = 1U << 20U;
// Memory of the host that a script may fill by files: enough for what checks stage in /tmp.
constexpr std::uint64_t temporary_bytes = 256 * mebibyte;
constexpr std::uint64_t shared_memory_bytes = 64 * mebibyte;

/// Programs and libraries: the directories that every confined script is shown. On a merged /usr
/// most of them are links.
constexpr std::array shown_directories{"usr", "bin", "sbin", "lib", "lib64"};

/// All of /etc that a script sees: what resolvers, TLS, the dynamic linker, time zones, the
/// alternatives system and the common interpreters read. Nothing else of
/// /etc is shown: accounts, keys, service configuration.
constexpr std::array etc_as_on_host{
    "ld.so.cache",      "localtime",       "timezone",      "os-release",     "alternatives",
    "ssl/certs",        "ssl/openssl.cnf", "pki/tls/certs", "pki/ca-trust",   "crypto-policies",
    "host.conf",        "nsswitch.conf",   "gai.conf",      "protocols",      "services",
    "networks",         "mime.types",      "locale.conf",   "debian_version", "redhat-release",
    "terminfo",         "inputrc",         "krb5.conf",     "wgetrc",         "ssh/ssh_config",
    "ssh/ssh_config.d", "snmp/snmp.conf",  "php",           "java-8-openjdk", "java-11-openjdk",
    "java-17-openjdk",  "java-21-openjdk",
};
constexpr std::array etc_directories{"etc/ssl", "etc/pki", "etc/pki/tls", "etc/ssh", "etc/snmp"};
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
constexpr std::array devices{
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
      directory(std::string(target.substr(0, slash)));
    }
  }
  std::vector<FileStep> take() { return std::move(steps_); }

 private:
  std::vector<FileStep> steps_;
};

std::string without_root(const std::string& path) {
  return path.substr(path.find_first_not_of('/'));
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
  steps.text("etc/passwd", passwd_text(request.identity, request.scratch_directory));
  steps.text("etc/group", group_text(request.identity));
}

/// Settings of the run's own namespaces go in before proc/sys is sealed.
void add_proc(Steps& steps, const NativeRequest& request) {
  steps.add({FileStepKind::processes, "proc", {}, 0, 0555});
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
  for (const char* path : proc_read_only) {
    steps.add({FileStepKind::read_only, path, {}, 0, 0, true});
  }
  if (!request.confined) return;
  for (const char* path : proc_masked_files) {
    steps.add({FileStepKind::mask, path, empty_file, 0, 0, true});
  }
  for (const char* path : proc_masked_directories) {
    steps.add({FileStepKind::mask, path, empty_directory, 0, 0, true});
  }
}

/// Root makes device nodes of the run's own: a tenth of the cost of a bind, and a change of their
/// owner or times reaches no other run.
void add_devices(Steps& steps, const NativeRequest& request) {
  steps.directory("dev");
  const auto kind = request.launcher_is_root ? FileStepKind::node : FileStepKind::device;
  for (const auto& device : devices) {
    const std::string target = std::string("dev/") + device.name;
    steps.add({kind, target, "/" + target, device.number, 0666, false, true});
  }
  for (const auto& [name, to] : device_links) steps.add({FileStepKind::link, name, to});
  steps.add({FileStepKind::terminals, "dev/pts", {}, 0, 0755, false, true});
  steps.add({FileStepKind::memory, "dev/shm", {}, shared_memory_bytes, 01777, false, true});
}

void add_scratch(Steps& steps, const NativeRequest& request) {
  const std::string target = without_root(request.scratch_directory);
  steps.way_to(target);
  if (request.scratch_bytes) {
    steps.add({FileStepKind::memory, target, {}, *request.scratch_bytes, 0700, false, true});
  } else {
    steps.add({FileStepKind::bind, target, request.scratch_directory, 0, 0700, false, true});
  }
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
  for (const char* path : shown_directories) steps.as_on_host(path);
  add_etc(steps, request);
  steps.text(empty_file, {});
  steps.directory(empty_directory, 0555);
  add_proc(steps, request);
  steps.add({FileStepKind::remove, empty_file, {}});
  add_devices(steps, request);
  steps.add({FileStepKind::memory, "tmp", {}, temporary_bytes, 01777, false, true});
  // It often lies below /tmp, so the fresh /tmp has to come before it.
  add_scratch(steps, request);
  for (const auto& path : request.read_only_paths) {
    const std::string target = without_root(path);
    steps.way_to(target);
    steps.add({FileStepKind::bind, target, path, 0, 0755});
  }
  add_own_files(steps, request.own_files);
  plan.steps = steps.take();
  return plan;
}

std::vector<std::string> writable_paths(const NativeRequest& request) {
  if (!request.confined) return {};
  return {"/tmp", "/dev", request.scratch_directory};
}

std::vector<MemorySize> memory_sizes(const std::vector<FileStep>& steps) {
  std::vector<MemorySize> sizes;
  for (const auto& step : steps) {
    if (step.kind == FileStepKind::memory) sizes.push_back({"/" + step.target, step.size});
  }
  return sizes;
}

std::string describe_step(const FileStep& step) {
  static constexpr std::array names{
      "directory", "link",   "text",      "copy", "mirror",  "bind",   "device", "memory",
      "proc",      "devpts", "read-only", "mask", "setting", "remove", "device", "append to"};
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
