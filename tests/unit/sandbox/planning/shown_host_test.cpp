#include "sandbox/planning/shown_host.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

using namespace satellite::sandbox;

namespace {

constexpr const char* two_mounts =
    "22 1 254:0 / / rw - ext4 /dev/vda rw\n"
    "23 22 0:21 / /sys rw - sysfs sysfs rw\n"
    "24 23 0:22 / /sys/kernel/debug rw - debugfs debugfs rw\n"
    "25 23 0:23 / /sys/firmware/efi/efivars rw - efivarfs efivarfs rw\n"
    "26 23 0:24 / /sys/something/new rw - odd odd rw\n"
    "30 22 0:40 / /mnt/nfs rw - nfs4 server:/x rw\n"
    "31 22 0:41 / /mnt/auto rw - autofs auto rw\n";

/// A host with these files, of which some are links.
HostPaths host_of(std::map<std::string, std::string> real_paths, std::set<std::string> sockets = {},
                  std::set<std::string> closed = {}) {
  HostPaths host;
  host.real_path = [real_paths](const std::string& path) -> std::optional<std::string> {
    const auto found = real_paths.find(path);
    if (found == real_paths.end()) return std::nullopt;
    return found->second.empty() ? path : found->second;
  };
  host.exists = [real_paths](const std::string& path) { return real_paths.contains(path); };
  host.is_socket = [sockets](const std::string& path) { return sockets.contains(path); };
  host.is_public = [closed](const std::string& path) { return !closed.contains(path); };
  host.mountinfo = [] { return std::string(two_mounts); };
  return host;
}

std::string targets_of(const ShownHost& shown) {
  std::string text;
  for (const auto& path : shown.paths) {
    text += path.target + (path.source == path.target ? "" : "<-" + path.source) +
            (path.executable ? "* " : " ");
  }
  return text;
}

bool has_remark(const ShownHost& shown, const std::string& part) {
  return std::any_of(shown.remarks.begin(), shown.remarks.end(), [&part](const std::string& one) {
    return one.find(part) != std::string::npos;
  });
}

}  // namespace

TEST_CASE("granted paths are shown where they are, with what they lead to, parents first") {
  HostView view;
  view.paths = {"/var/log", "/opt/link"};
  view.programs = {"/opt/checks"};
  view.sockets = {"/var/run/app.sock"};
  const auto host = host_of({{"/var/log", ""},
                             {"/opt/link", "/srv/real"},
                             {"/opt/checks", ""},
                             {"/var/run/app.sock", "/run/app.sock"}},
                            {"/run/app.sock"});
  const auto shown = find_shown(view, host, {ShownTo::satellite, true, "/tmp/scratch"});
  CHECK(targets_of(shown) == "/opt/checks* /opt/link<-/srv/real /run/app.sock /var/log ");
  CHECK(shown.links_var_run);
  CHECK(shown.remarks.empty());
  CHECK(shown.grants == std::vector<std::string>{"path /var/log", "path /opt/link",
                                                 "program /opt/checks",
                                                 "socket /var/run/app.sock"});
}

TEST_CASE("what is missing, waits for others or is of another kind is left out and told") {
  HostView view;
  view.paths = {"/gone", "/mnt/nfs/x", "/mnt/auto", "/opt/to-nfs", "/run/a.sock", "/usr/share"};
  view.sockets = {"/var/file"};
  const auto host = host_of(
      {{"/opt/to-nfs", "/mnt/nfs/y"}, {"/run/a.sock", ""}, {"/usr/share", ""}, {"/var/file", ""}},
      {"/run/a.sock"});
  const auto shown = find_shown(view, host, {ShownTo::satellite, true, "/tmp/scratch"});
  CHECK(shown.empty());
  CHECK(shown.grants.empty());
  CHECK(shown.remarks.size() == 7);
  CHECK(has_remark(shown, "/gone is not shown: it is not there"));
  CHECK(has_remark(shown, "/mnt/nfs/x is not shown: it is on nfs4"));
  CHECK(has_remark(shown, "/mnt/auto is not shown: it is on autofs"));
  CHECK(has_remark(shown, "/opt/to-nfs is not shown: it leads to nfs4"));
  CHECK(has_remark(shown, "/run/a.sock is not shown: it is a socket"));
  CHECK(has_remark(shown, "/var/file is not shown: it is no socket"));
  CHECK(has_remark(shown, "every script sees it anyway"));
}

TEST_CASE("a network file system is never looked at") {
  HostView view;
  view.paths = {"/mnt/nfs/x", "/mnt/auto/y"};
  auto host = host_of({});
  host.real_path = [](const std::string& path) -> std::optional<std::string> {
    FAIL("looked at " << path);
    return std::nullopt;
  };
  CHECK(find_shown(view, host, {ShownTo::satellite, true, "/tmp/scratch"}).remarks.size() == 2);
}

TEST_CASE("a link does not lead a grant to what could not be granted") {
  HostView view;
  view.own = {"/var/lib/satellite"};
  view.paths = {"/opt/a", "/opt/b", "/opt/c", "/opt/d"};
  const auto shown = find_shown(view,
                                host_of({{"/opt/a", "/var/lib/satellite/store"},
                                         {"/opt/b", "/"},
                                         {"/opt/c", "/proc/1"},
                                         {"/opt/d", "/run"}}),
                                {ShownTo::satellite, true, "/tmp/scratch"});
  CHECK(shown.empty());
  CHECK(shown.remarks.size() == 4);
}

TEST_CASE("what not every user may read is left out where it has to be opened as the script") {
  HostView view;
  view.paths = {"/srv/closed", "/srv/open"};
  const auto host = host_of({{"/srv/closed", ""}, {"/srv/open", ""}}, {}, {"/srv/closed"});
  CHECK(targets_of(find_shown(view, host, {ShownTo::everybody, true, "/tmp/scratch"})) ==
        "/srv/open ");
  CHECK(targets_of(find_shown(view, host, {ShownTo::satellite, true, "/tmp/scratch"})) ==
        "/srv/closed /srv/open ");
}

TEST_CASE("of /sys every file system of its own is out of sight, known or not") {
  HostView view;
  view.system = true;
  const auto shown =
      find_shown(view, host_of({{"/sys/kernel", ""}}), {ShownTo::satellite, true, "/tmp/scratch"});
  CHECK(targets_of(shown) == "/sys ");
  const auto is_masked = [&shown](const std::string& path) {
    const auto& masked = shown.masked_directories;
    return std::count(masked.begin(), masked.end(), path) == 1;
  };
  for (const char* path : {"/sys/kernel/debug", "/sys/something/new", "/sys/firmware",
                           "/sys/fs/cgroup", "/sys/kernel/security", "/sys/power"}) {
    INFO(path);
    CHECK(is_masked(path));
  }
  CHECK_FALSE(is_masked("/sys/firmware/efi/efivars"));  // below one that is
}

TEST_CASE("sessions are what of it this host keeps") {
  HostView view;
  view.sessions = true;
  const auto shown = find_shown(view, host_of({{"/run/utmp", ""}, {"/var/log/wtmp", ""}}),
                                {ShownTo::satellite, true, "/tmp/scratch"});
  CHECK(targets_of(shown) == "/run/utmp /var/log/wtmp ");
  CHECK(shown.grants == std::vector<std::string>{"sessions"});
  CHECK(has_remark(find_shown(view, host_of({}), {ShownTo::satellite, true, "/tmp/scratch"}),
                   "sessions"));
}

TEST_CASE("the host's processes are shown where nothing of a script reaches them") {
  HostView view;
  view.processes = true;
  ShowingRun run{ShownTo::satellite, true, "/tmp/scratch", {}, true};
  auto host = host_of({});
  const auto mounted_with = [&host](const std::string& lines) {
    host.mountinfo = [lines] { return std::string(two_mounts) + lines; };
  };
  const std::string proc = "40 22 0:30 / /proc rw,nosuid - proc proc rw\n";
  SECTION("with what is mounted in it out of sight") {
    mounted_with(proc +
                 "41 40 0:31 / /proc/sys/fs/binfmt_misc rw - autofs auto rw\n"
                 "42 41 0:32 / /proc/sys/fs/binfmt_misc rw - binfmt_misc none rw\n"
                 "43 40 0:33 /null /proc/kcore rw - devtmpfs dev rw\n");
    host.is_directory = [](const std::string& path) { return path != "/proc/kcore"; };
    const auto shown = find_shown(view, host, run);
    CHECK(shown.processes);
    CHECK(shown.grants == std::vector<std::string>{"processes"});
    CHECK(shown.mounted_in_proc ==
          std::vector<ProcMount>{{"/proc/sys/fs/binfmt_misc", true}, {"/proc/kcore", false}});
    CHECK(shown.empty());  // no path of it is restricted by the grant
  }
  SECTION("by a user of the run's own, which is not its init's") {
    mounted_with(proc);
    run.keeps_signals = false;
    run.has_user_for_init = true;
    CHECK(find_shown(view, host, run).processes);
  }
  SECTION("and else not, with the reason") {
    mounted_with(proc);
    std::string reason;
    SECTION("another engine") {
      run.by_native_engine = false;
      reason = "only the native engine";
    }
    SECTION("no scope of signals") {
      run.keeps_signals = false;
      reason = "Landlock signal scope";
    }
    SECTION("hidden from users") {
      mounted_with("40 22 0:30 / /proc rw - proc proc rw,hidepid=invisible\n");
      reason = "hidepid=invisible";
    }
    SECTION("processes alone") {
      mounted_with("40 22 0:30 / /proc rw - proc proc rw,subset=pid\n");
      reason = "subset=pid";
    }
    SECTION("something else at its place") {
      mounted_with(proc + "44 40 0:34 / /proc rw - tmpfs none rw\n");
      reason = "no whole /proc";
    }
    SECTION("settings that cannot be written") {
      mounted_with(proc + "45 40 0:30 /sys /proc/sys ro - proc proc rw\n");
      reason = "/proc/sys is read-only";
    }
    SECTION("no /proc") {
      mounted_with("");
      reason = "no whole /proc";
    }
    const auto shown = find_shown(view, host, run);
    CHECK_FALSE(shown.processes);
    CHECK(shown.grants.empty());
    CHECK(has_remark(shown, reason));
  }
}
