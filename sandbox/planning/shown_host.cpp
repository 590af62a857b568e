#include "sandbox/planning/shown_host.hpp"

#include "sandbox/kernel/proc_facts.hpp"
#include "sandbox/planning/file_system_types.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace satellite::sandbox {
namespace {

// Where every script finds the host's content anyway.
constexpr std::array<std::string_view, 5> shown_to_all{"/usr", "/bin", "/sbin", "/lib", "/lib64"};

// What /sys holds beyond facts about the host: file systems of their own, tables of the firmware.
constexpr std::array<std::string_view, 11> masked_in_sys{
    "/sys/firmware",        "/sys/fs/bpf",     "/sys/fs/cgroup",     "/sys/fs/fuse/connections",
    "/sys/fs/pstore",       "/sys/fs/selinux", "/sys/kernel/config", "/sys/kernel/debug",
    "/sys/kernel/security", "/sys/power",      "/sys/kernel/tracing"};
constexpr std::string_view masked_file_in_sys = "/sys/kernel/vmcoreinfo";

constexpr std::array<std::string_view, 6> session_paths{
    "/run/utmp",          "/run/systemd/sessions", "/run/systemd/users",
    "/run/systemd/seats", "/var/log/wtmp",         "/var/log/lastlog"};

class Finder {
 public:
  Finder(const HostView& view, const HostPaths& host, ShownTo whom)
      : view_(view), host_(host), whom_(whom) {
    auto mounts = kernel::parse_mountinfo(host.mountinfo());
    if (mounts) mounts_ = *std::move(mounts);
  }

  ShownHost find() {
    for (const auto& path : view_.paths) add(path, Use::read);
    for (const auto& path : view_.programs) add(path, Use::execute);
    for (const auto& path : view_.sockets) add(path, Use::connect);
    if (view_.sessions) add_sessions();
    if (view_.system) add_system();
    auto& paths = found_.paths;
    std::stable_sort(paths.begin(), paths.end(), [](const ShownPath& one, const ShownPath& other) {
      return one.target < other.target;
    });
    found_.links_var_run = std::any_of(paths.begin(), paths.end(), [](const ShownPath& shown) {
      return is_at_or_below(shown.target, "/run");
    });
    return std::move(found_);
  }

 private:
  enum class Use { read, execute, connect };

  static std::string_view name_of(Use use) {
    return use == Use::read ? "path" : use == Use::execute ? "program" : "socket";
  }

  void leave_out(const std::string& path, const std::string& why) {
    found_.remarks.push_back("host_view: " + path + " is not shown: " + why);
  }

  /// The type of the file system that a path lies on; the last mount at a place covers others.
  std::string_view type_at(std::string_view path) const {
    const kernel::MountEntry* nearest = nullptr;
    for (const auto& mount : mounts_) {
      const bool holds = is_at_or_below(path, mount.target);
      if (holds && (nearest == nullptr || mount.target.size() >= nearest->target.size())) {
        nearest = &mount;
      }
    }
    return nearest == nullptr ? std::string_view() : nearest->type;
  }

  /// What lies on a path or below it and must not be shown with it; empty = nothing.
  std::string reason_against(const std::string& path, Use use) const {
    if (use == Use::connect) return {};
    if (const auto type = type_at(path); is_of_kernel(type)) {
      return "it is on " + std::string(type) + ", which belongs to the kernel";
    }
    for (const auto& mount : mounts_) {
      const bool is_below = mount.target != path && is_at_or_below(mount.target, path);
      if (is_below && (is_of_kernel(mount.type) || waits_for_others(mount.type))) {
        return mount.type + " is mounted below it at " + mount.target +
               "; name the directories beside that";
      }
    }
    return {};
  }

  /// The path without links, or nothing and a remark.
  std::optional<std::string> look_for(const std::string& path, Use use) {
    if (const auto type = type_at(path); waits_for_others(type)) {
      leave_out(path, "it is on " + std::string(type) + ", which a run would have to wait for");
      return std::nullopt;
    }
    auto real = host_.real_path(path);
    if (!real) {
      leave_out(path, "it is not there, or not for the satellite's user");
      return std::nullopt;
    }
    if (const auto reason = reason_against(*real, use); !reason.empty()) {
      leave_out(path, reason);
      return std::nullopt;
    }
    if (*real == path) return real;
    if (const auto type = type_at(*real); waits_for_others(type)) {
      leave_out(path, "it leads to " + std::string(type) + ", which a run would have to wait for");
      return std::nullopt;
    }
    HostView behind_link;
    behind_link.paths = {*real};
    const auto allowed =
        use == Use::connect ? parse_shown_sockets(*real) : parse_shown_paths(*real);
    const auto beside = check_own_paths(behind_link, view_.own);
    if (!allowed || !beside) {
      leave_out(path, "it leads to " + (allowed ? beside.error() : allowed.error()).message);
      return std::nullopt;
    }
    return real;
  }

  void add(const std::string& path, Use use) {
    const auto holds = [&path](std::string_view directory) {
      return is_at_or_below(path, directory);
    };
    if (std::any_of(shown_to_all.begin(), shown_to_all.end(), holds)) {
      return leave_out(path, "every script sees it anyway");
    }
    const auto real = look_for(path, use);
    if (!real) return;
    if (host_.is_socket(*real) != (use == Use::connect)) {
      return leave_out(
          path, use == Use::connect ? "it is no socket" : "it is a socket, for host_view.sockets");
    }
    if (whom_ == ShownTo::everybody && !host_.is_public(*real)) {
      return leave_out(path, "without the native engine only what every user may read is shown");
    }
    // The old name of /run leads there.
    std::string target = path;
    if (is_at_or_below(target, "/var/run")) target.erase(0, std::string_view("/var").size());
    found_.paths.push_back({target, *real, use == Use::execute});
    found_.grants.push_back(std::string(name_of(use)) + " " + path);
  }

  void add_sessions() {
    bool any = false;
    for (const std::string_view name : session_paths) {
      const std::string path(name);
      const auto real = host_.real_path(path);
      if (!real || *real != path) continue;
      found_.paths.push_back({path, path, false});
      any = true;
    }
    if (any) return found_.grants.emplace_back("sessions"), void();
    leave_out("sessions", "this host keeps none in /run/utmp, /run/systemd or /var/log/wtmp");
  }

  void add_system() {
    if (!host_.exists("/sys/kernel")) return leave_out("/sys", "it is not mounted");
    found_.paths.push_back({"/sys", "/sys", false});
    found_.grants.emplace_back("system");
    auto& masked = found_.masked_directories;
    for (const auto path : masked_in_sys) masked.emplace_back(path);
    for (const auto& mount : mounts_) {
      if (is_at_or_below(mount.target, "/sys") && mount.target != "/sys") {
        masked.push_back(mount.target);
      }
    }
    std::sort(masked.begin(), masked.end());
    // What lies below a masked directory is out of sight with it.
    const auto last = std::unique(masked.begin(), masked.end(),
                                  [](const std::string& upper, const std::string& lower) {
                                    return is_at_or_below(lower, upper);
                                  });
    masked.erase(last, masked.end());
    found_.masked_files.emplace_back(masked_file_in_sys);
  }

  const HostView& view_;
  const HostPaths& host_;
  ShownTo whom_;
  std::vector<kernel::MountEntry> mounts_;
  ShownHost found_;
};

}  // namespace

namespace {

/// Why this host's /proc cannot be a run's; empty = it can.
std::string reason_against_processes(std::string_view mountinfo, const ShowingRun& run) {
  if (!run.by_native_engine) return "only the native engine can show them";
  if (!run.keeps_signals && !run.has_user_for_init) {
    return "this kernel cannot keep a script from signalling others of its user (Landlock signal "
           "scope, Linux 6.12): give each run a user of its own (sandbox.uid_range, under a "
           "satellite that is root), or leave processes out";
  }
  const auto mounts = kernel::parse_mountinfo(mountinfo);
  if (!mounts) return "the host's mounts cannot be read";
  // The last mount at a place is the one that is seen.
  const auto proc = std::find_if(mounts->rbegin(), mounts->rend(),
                                 [](const auto& mount) { return mount.target == "/proc"; });
  if (proc == mounts->rend() || proc->type != "proc" || proc->root != "/") {
    return "the satellite has no whole /proc itself";
  }
  // A run sets what belongs to its own namespaces there.
  const bool has_own_settings = std::any_of(mounts->begin(), mounts->end(), [](const auto& mount) {
    return mount.target == "/proc/sys";
  });
  if (proc->read_only || has_own_settings) {
    return "the satellite's /proc/sys is read-only (ProtectKernelTunables=, or its container)";
  }
  for (const std::string_view hidden : {"hidepid=", "subset="}) {
    const bool is_hidden = proc->options.find(hidden) != std::string::npos &&
                           proc->options.find("hidepid=0") == std::string::npos;
    if (is_hidden)
      return "/proc is mounted with " + proc->options + ", which hides them from users";
  }
  return {};
}

void find_processes(const HostPaths& host, const ShowingRun& run, ShownHost& shown) {
  const auto text = host.mountinfo();
  if (const auto reason = reason_against_processes(text, run); !reason.empty()) {
    shown.remarks.push_back("host_view: processes are not shown: " + reason);
    return;
  }
  shown.processes = true;
  shown.grants.emplace_back("processes");
  const auto mounts = kernel::parse_mountinfo(text);
  for (const auto& mount : *mounts) {
    const bool is_in_it = mount.target != "/proc" && is_at_or_below(mount.target, "/proc");
    const auto& known = shown.mounted_in_proc;
    const bool is_masked = std::any_of(known.begin(), known.end(), [&](const ProcMount& upper) {
      return is_at_or_below(mount.target, upper.target);
    });
    if (!is_in_it || is_masked) continue;
    shown.mounted_in_proc.push_back({mount.target, host.is_directory(mount.target)});
  }
}

}  // namespace

ShownTo whom_to_show(const HostFacts& facts) {
  // A wrapper that root starts runs as the script and opens everything as that user.
  const bool is_anybody = facts.euid_is_root && !facts.native_engine;
  return is_anybody ? ShownTo::everybody : ShownTo::satellite;
}

ShowingRun showing_run(const HostFacts& facts, std::string scratch_directory) {
  return {whom_to_show(facts),
          facts.native_engine,
          std::move(scratch_directory),
          {},
          facts.keeps_signals};
}

CapabilityFinding examine_host_view(const HostView& view, const HostFacts& facts,
                                    const std::string& scratch_parent,
                                    const std::optional<IdentityRange>& range) {
  auto run = showing_run(facts, scratch_parent);
  run.has_user_for_init = facts.launcher_drops_privilege && range && range->count > 1;
  auto shown = find_shown(view, this_host_paths(), run);
  const bool sizes_memory = facts.native_engine || facts.wrapper == Wrapper::nsjail ||
                            (facts.wrapper == Wrapper::bwrap && facts.wrapper_sizes_memory);
  if (view.state_bytes > 0 && sizes_memory) {
    shown.grants.push_back("state " + state_size_text(view.state_bytes));
  } else if (view.state_bytes > 0) {
    shown.remarks.emplace_back(
        "host_view: state is not given: no engine here can give it a directory with a size");
  }
  CapabilityFinding finding;
  finding.name = "host_view";
  // Of disks some are never shown: those in whose place a run has its own, say.
  finding.present = shown.remarks.size() == shown.disks.remarks.size() &&
                    (!view.disks || !shown.disks.disks.empty());
  for (const auto& grant : shown.grants)
    finding.detail += (finding.detail.empty() ? "" : ", ") + grant;
  for (const auto& remark : shown.remarks) {
    finding.detail += (finding.detail.empty() ? "" : "; ") + remark;
  }
  if (!finding.present)
    finding.remedy = "take out of [host_view] what is not shown, or name it as its reason says";
  return finding;
}

ShownHost find_shown(const HostView& view, const HostPaths& host, const ShowingRun& run) {
  ShownHost shown;
  if (view.shows_files()) shown = Finder(view, host, run.whom).find();
  if (view.processes) find_processes(host, run, shown);
  if (!view.disks) return shown;
  DiskQuestion question{run.by_native_engine, run.scratch_directory, run.further_paths};
  for (const auto& path : shown.paths) question.shown_paths.push_back(path.target);
  if (shown.links_var_run) question.shown_paths.emplace_back("/var/run");
  shown.disks = find_disks(host, question);
  for (const auto& grant : shown.disks.grants) shown.grants.push_back(grant);
  for (const auto& remark : shown.disks.remarks) shown.remarks.push_back(remark);
  return shown;
}

}  // namespace satellite::sandbox
