// File systems of the host by their sizes alone: programs tell of them what they tell on the host,
// and the report says which are there.
#include "tests/support/host_disks.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/module_bench.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/test_network.hpp"

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/planning/host_paths.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <utility>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;
namespace fs = std::filesystem;

namespace {

constexpr const char* check_disk = "/usr/lib/nagios/plugins/check_disk";

std::string said_by(const std::string& command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "re"),
                                                             ::pclose);
  std::string text;
  std::array<char, 4096> buffer{};
  while (pipe && std::fgets(buffer.data(), buffer.size(), pipe.get()) != nullptr) {
    text += buffer.data();
  }
  return text;
}

/// What programs say of the sizes at these places, which nobody else changes.
std::string sizes_at(const HostDisks& disks, const std::vector<std::string>& names) {
  std::string places, checks;
  for (const auto& name : names) {
    places += " " + disks.at(name);
    if (fs::exists(check_disk)) {
      checks += std::string(check_disk) + " -w 1% -c 1% -p " + disks.at(name) + "; echo $?; ";
    }
  }
  // Of memory a directory that was removed counts as a file for as long as it stands for the whole.
  const std::string counted = " " + disks.at(HostDisks::closed);
  return "export LC_ALL=C; df -P -B1 -a" + places + "; df -P -i" + counted +
         "; df --output=source,fstype,target" + places + "; stat -f -c '%n %T %S %b %f'" + places +
         "; stat -f -c '%c %d'" + counted + "; " + checks;
}

/// What of a report is about these places, one line each.
std::string told_of(const HostDisks& disks, const EffectiveSandbox& report) {
  std::string text;
  for (const auto& name : HostDisks::names()) {
    for (const auto& grant : report.grants) {
      if (grant == "disk " + disks.at(name)) text += "granted " + name + "\n";
    }
    for (const auto& note : report.notes) {
      if (note.note.find(disks.at(name) + " (") != std::string::npos) {
        text += "not shown " + name + "\n";
      }
    }
  }
  return text;
}

enum class Satellite { of_root, unprivileged };

/// In mounts of its own, where the disks are, and then as this satellite's user.
std::string beside(const HostDisks& disks, Satellite satellite,
                   const std::function<std::string()>& body) {
  return in_child([&] {
    take_own_mounts();
    disks.mount_all();
    return satellite == Satellite::of_root ? body() : as_uid_65532(body);
  });
}

bool can_mount_disks() {
  return require_layer("loop", HostDisks::is_possible(), "needs root, loop devices and mkfs.ext4");
}

bool become_uid_65532() {
  constexpr uid_t id = 65'532;
  return ::setgroups(0, nullptr) == 0 && ::setresgid(id, id, id) == 0 &&
         ::setresuid(id, id, id) == 0 && ::prctl(PR_SET_DUMPABLE, 1) == 0;
}

std::string run_text(const Ran& ran) {
  return ran.standard_output + ran.standard_error + ran.result.error.value_or("");
}

/// A bench that shows disks.
struct DiskBench : ScriptBench {
  explicit DiskBench(Engine engine = Engine::native, const std::string& scratch_parent = "/tmp")
      : ScriptBench(engine, Egress::untried, std::nullopt, std::nullopt, RootScripts::refused,
                    scratch_parent) {
    settings.host_view.disks = true;
  }
  Ran look(const std::string& text) { return run(script(text), policy_for(Engine::native)); }
};

/// Until runs start in copies of one root: each has its own otherwise.
bool come_to_share_a_root(DiskBench& bench) {
  std::string last;
  return eventually([&] {
    const Ran ran = bench.look("stat -c %d:%i /");
    const bool is_same = ran.standard_output == std::exchange(last, ran.standard_output);
    return ran.result.root_was_ready && !last.empty() && is_same;
  });
}

bool device_of_root_is_that_of(const char* path) {
  struct stat root {
  }, other{};
  return ::stat("/", &root) == 0 && ::stat(path, &other) == 0 && root.st_dev == other.st_dev;
}

}  // namespace

TEST_CASE("df, stat and check_disk tell of granted disks what they tell on the host") {
  if (!can_mount_disks()) return;
  const auto satellite = GENERATE(Satellite::of_root, Satellite::unprivileged);
  const bool as_root = satellite == Satellite::of_root;
  const HostDisks disks;
  const std::string seen = beside(disks, satellite, [&]() -> std::string {
    const std::vector<std::string> shown = as_root
                                               ? std::vector<std::string>{"closed", "plain", "open"}
                                               : std::vector<std::string>{"closed", "open"};
    const std::string question = sizes_at(disks, shown);
    const std::string bare = said_by(question);
    DiskBench bench;
    const Ran ran = bench.look(question);
    std::string text = told_of(disks, ran.result.sandbox);
    const bool is_same = ran.standard_output == bare && bare.find("closed") != std::string::npos;
    text += is_same ? "same\n" : "host:\n" + bare + "run:\n" + run_text(ran);
    // What cannot be shown is not there at all: no other size stands in its place.
    const Ran full = bench.look("df " + disks.at("full") + " 2>&1; ls -d " + disks.at("full"));
    text += run_text(full).find("No such file") != std::string::npos ? "absent\n" : run_text(full);
    // What is missing of them is also what a hint is for.
    const Ran all = bench.look("df >/dev/null");
    return text + (all.result.sandbox.hints.empty() ? "no hint\n" : "hint\n");
  });
  CHECK(seen == (as_root ? "granted closed\ngranted plain\ngranted open\nnot shown full\n"
                           "same\nabsent\nhint\n"
                         : "granted closed\nnot shown plain\ngranted open\nnot shown full\n"
                           "same\nabsent\nhint\n"));
}

TEST_CASE("without the grant no disk of the host is there, and a hint says why") {
  ScriptBench bench(Engine::native);
  const Policy policy = policy_for(Engine::native);
  const Ran ran = bench.run(script("df --output=fstype,source / | tail -n 1"), policy);
  CHECK(ran.standard_output == "tmpfs tmpfs\n");
  CHECK(ran.result.sandbox.grants.empty());
  REQUIRE(ran.result.sandbox.hints.size() == 1);
  CHECK(holds(ran.result.sandbox.hints.front(), "disks of host_view"));
}

TEST_CASE("the root file system is the host's by its size, type and device, with its directories") {
  if (!require_layer("root_disk", device_of_root_is_that_of("/var/tmp"),
                     "/var/tmp is not on the root file system")) {
    return;
  }
  DiskBench bench(Engine::native, "/var/tmp");
  // Cases H01 and H02: neither the sandbox's own 8 MiB nor an answer without a word.
  const std::string question =
      "export LC_ALL=C; df --output=source,fstype,size,itotal,target /; df -P /usr /home /var "
      "/opt 2>&1 | tr -s ' ' | cut -d' ' -f1,2; stat -f -c '%T %b' / /usr";
  // /usr is a mount of its own in a run, of the same device.
  const Ran ran = bench.look(question);
  CHECK(ran.standard_output == said_by("{ " + question + "; } 2>&1"));
  // But for a disk of this very host that nothing can stand for.
  std::string missing;
  for (const auto& note : ran.result.sandbox.notes) {
    if (holds(note.note, "is not shown as a disk:")) missing += note.note + "\n";
  }
  INFO(missing);
  CHECK(ran.result.sandbox.hints.empty() == missing.empty());
  CHECK(holds(
      "\n" +
          [&] {
            std::string all;
            for (const auto& grant : ran.result.sandbox.grants) all += grant + "\n";
            return all;
          }(),
      "\ndisk /\n"));
  CHECK(run_text(bench.look("for d in / /var /home /root; do touch $d/x 2>/dev/null && echo wrote; "
                            "mkdir $d/y 2>/dev/null && echo made; done; ls /var/lib /root "
                            ">/dev/null 2>&1 || echo closed; echo end")) == "closed\nend\n");
}

TEST_CASE("check_disk tells of the root file system and of all disks what it tells on the host") {
  if (!require_layer("check_disk", fs::exists(check_disk), "monitoring-plugins are missing") ||
      !require_layer("root_disk", device_of_root_is_that_of("/var/tmp"),
                     "/var/tmp is not on the root file system")) {
    return;
  }
  DiskBench bench(Engine::native, "/var/tmp");
  // The whole size; what is used moves.
  const auto ask = [](const std::string& option) {
    return std::string(check_disk) + " -w 1% -c 1% " + option +
           " | sed 's/.*|//' | tr ' ' '\\n' | sed -n 's,^/=.*;0;,,p'";
  };
  for (const char* option : {"-p /", "-A"}) {
    INFO(option);
    const std::string bare = said_by(ask(option));
    CHECK_FALSE(bare.empty());
    CHECK(bench.look(ask(option)).standard_output == bare);
  }
}

TEST_CASE("engines that cannot show a disk without its content say so and show none") {
  DiskBench bench(Engine::bwrap);
  const Ran ran = bench.run(script("df --output=fstype / | tail -n 1"), policy_for(Engine::bwrap));
  CHECK(ran.standard_output == "tmpfs\n");
  CHECK(ran.result.sandbox.grants.empty());
  REQUIRE_FALSE(ran.result.sandbox.notes.empty());
  bool is_told = false;
  for (const auto& note : ran.result.sandbox.notes) {
    is_told = is_told || holds(note.note, "only the native engine can show them");
  }
  CHECK(is_told);
  CHECK(ran.result.sandbox.hints.size() == 1);
}

TEST_CASE("a network file system whose server is gone holds up nothing and is told by name") {
  if (!can_mount_disks()) return;
  if (!require_layer("fuse", ::access("/dev/fuse", R_OK | W_OK) == 0, "needs /dev/fuse")) return;
  const HostDisks disks;
  const std::string seen = beside(disks, Satellite::of_root, [&]() -> std::string {
    // Nobody ever answers on this descriptor, not even the first question of the kernel.
    const UniqueFd silent(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
    const std::string options =
        "fd=" + std::to_string(silent.get()) + ",rootmode=40000,user_id=0,group_id=0,allow_other";
    const std::string place = disks.at("open");
    if (::mount("far", place.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
      return "mount";
    }
    DiskBench bench;
    const Ran ran = bench.look("df -P " + disks.at("closed") + " | wc -l");
    std::string text = run_text(ran) + told_of(disks, ran.result.sandbox);
    // Nor does a link in place of a known directory, which would be followed there.
    const std::string link = disks.at("closed") + "/link";
    fs::create_directory_symlink(place, link);
    if (this_host_paths().is_directory(link)) text += "a link is taken for a directory\n";
    // Beside its last mount, or the end of this process would wait for an answer as well.
    ::umount2(place.c_str(), MNT_DETACH);
    return text;
  });
  CHECK(seen == "2\ngranted closed\ngranted plain\nnot shown open\nnot shown full\n");
}

TEST_CASE("a disk that is mounted or unmounted is seen by the next run, and nothing holds it") {
  if (!can_mount_disks()) return;
  const auto satellite = GENERATE(Satellite::of_root, Satellite::unprivileged);
  const HostDisks disks;
  const auto look_at_closed = [&disks](DiskBench& bench) {
    const Ran ran = bench.look("df --output=fstype " + disks.at("closed") + " 2>&1 | tail -n 1");
    return (holds(ran.standard_output, "No such file") ? "absent\n" : ran.standard_output);
  };
  // The mounts are root's to change, the satellite only looks.
  const std::string seen = in_child([&]() -> std::string {
    take_own_mounts();
    disks.mount_all();
    int to_root[2], to_satellite[2];
    if (::pipe2(to_root, O_CLOEXEC) != 0 || ::pipe2(to_satellite, O_CLOEXEC) != 0) return "pipe";
    const auto ask_root = [&] {
      char byte = 'u';
      return ::write(to_root[1], &byte, 1) == 1 && ::read(to_satellite[0], &byte, 1) == 1;
    };
    const pid_t mounter = ::fork();
    if (mounter == 0) {
      char byte = 0;
      if (::read(to_root[0], &byte, 1) != 1) ::_exit(1);
      ::umount2(disks.at("closed").c_str(), MNT_DETACH);  // a listening socket holds it
      static_cast<void>(!::write(to_satellite[1], &byte, 1));
      ::_exit(0);
    }
    const auto body = [&]() -> std::string {
      DiskBench bench;
      bench.keep_prepared(1);
      std::string text = look_at_closed(bench);
      if (!come_to_share_a_root(bench)) return text + "no template\n";
      text += look_at_closed(bench);
      if (!bench.wait_until_prepared(1)) return text + "not prepared\n";
      if (!ask_root()) return text + "not unmounted\n";
      // What stood ready would keep the device busy, and goes by itself.
      if (!bench.wait_until_dropped()) return text + "still held\n";
      return text + look_at_closed(bench);
    };
    // In these mounts, which the other one changes.
    if (satellite == Satellite::unprivileged && !become_uid_65532()) return "another user";
    return body();
  });
  CHECK(seen == "ext4\next4\nabsent\n");
}

TEST_CASE("a runtime that stands ready lets go of a disk that is unmounted, too") {
  if (!can_mount_disks()) return;
  const auto runtime = each_module_runtime();
  const HostDisks disks;
  const std::string seen = beside(disks, Satellite::of_root, [&]() -> std::string {
    ModuleBench bench(runtime);
    bench.settings.host_view.disks = true;
    bench.policy.resources.max_processes = 4'096;  // shared with neighbours
    bench.keep_standing(1);
    const Ran first = bench.run_module("return 0;");
    if (!first.result.answer) return first.result.error.value_or("") + first.standard_error;
    if (!bench.wait_until_standing(1)) return "none stands: " + bench.dropped();
    ::umount2(disks.at("closed").c_str(), MNT_DETACH);  // a listening socket holds it
    return bench.wait_until_dropped() ? "" : "still held";
  });
  CHECK(seen == "");
}

TEST_CASE("a directory that is opened to others shows nothing, and another one takes its place") {
  if (!can_mount_disks()) return;
  const HostDisks disks;
  const std::string seen = beside(disks, Satellite::of_root, [&]() -> std::string {
    const std::string lost_and_found = disks.at("closed") + "/lost+found";
    {
      std::FILE* const file = std::fopen((lost_and_found + "/secret").c_str(), "we");
      if (file == nullptr) return "write";
      std::fclose(file);
    }
    // By its name: Landlock alone keeps a script from listing.
    const std::string question = "stat -c %n " + disks.at("closed") +
                                 "/secret 2>&1 | grep -v denied; df --output=fstype " +
                                 disks.at("closed") + " | tail -n 1";
    std::string text;
    {
      DiskBench standing;
      standing.keep_prepared(1);
      standing.look("true");
      if (!standing.wait_until_prepared(1)) return "not prepared";
      fs::permissions(lost_and_found, fs::perms(0755));
      const Ran ran = standing.look(question);
      text += ran.result.was_prepared ? "prepared: " : "not prepared: ";
      text += holds(ran.standard_output, "secret") ? "seen\n" : "closed\n";
    }
    fs::permissions(lost_and_found, fs::perms(0700));
    DiskBench bench;
    if (!come_to_share_a_root(bench)) return text + "no template";
    fs::permissions(lost_and_found, fs::perms(0755));
    const Ran refused = bench.look(question);
    text += std::string(name_of(refused.result.outcome)) + ": ";
    text += holds(refused.result.error.value_or(""), "opened to others") ? "told\n" : "\n";
    const Ran next = bench.look(question);
    return text + (holds(next.standard_output, "secret") ? "seen\n" : "closed\n") +
           (holds(next.standard_output, "ext4\n") ? "ext4\n" : run_text(next));
  });
  // What stood ready asks again with its task, and so another one runs.
  CHECK(seen == "not prepared: closed\nsetup_failed: told\nclosed\next4\n");
}

TEST_CASE("without root no directory of another user stands for a disk") {
  if (!can_mount_disks()) return;
  const HostDisks disks;
  const std::string seen = in_child([&] {
    take_own_mounts();
    disks.mount_all();
    // He could open each of them to everybody while a script has it: a directory that is closed,
    // lost+found of a file system that is his, and the root of one.
    const std::string stranger = "12345";
    const std::string prepare = "cd " + disks.at("plain") + " && mkdir -m 700 his && chown " +
                                stranger + " his && chown " + stranger + " " + disks.at("closed") +
                                " && chown " + stranger + " " + disks.at("open") +
                                " && chmod 700 " + disks.at("open");
    if (std::system(prepare.c_str()) != 0) return std::string("prepare");
    return as_uid_65532([&] {
      DiskBench bench;
      std::string text;
      for (int i = 0; i < 2; ++i) text += told_of(disks, bench.look("true").result.sandbox);
      return text;
    });
  });
  const std::string each = "not shown closed\nnot shown plain\nnot shown open\nnot shown full\n";
  CHECK(seen == each + each);
}

TEST_CASE("nothing of carriers and roots is left on any disk") {
  if (!can_mount_disks()) return;
  const auto satellite = GENERATE(Satellite::of_root, Satellite::unprivileged);
  const HostDisks disks;
  const std::string seen = beside(disks, satellite, [&]() -> std::string {
    const auto everything = [&disks] {
      std::string text;
      for (const auto& name : HostDisks::names()) {
        for (const auto& entry : fs::directory_iterator(disks.at(name))) {
          text += name + "/" + entry.path().filename().string() + "\n";
        }
      }
      return text;
    };
    const std::string before = everything();
    std::string area;
    {
      DiskBench bench;
      area = bench.launcher->scratch_area();
      for (int i = 0; i < 3; ++i) bench.look("true");
      if (!come_to_share_a_root(bench)) return "no template";
      if (everything() != before) return "left while it lives:\n" + everything();
      // One root for all that start in it.
      const auto roots = [&area] {
        int count = 0;
        for (const auto& entry : fs::directory_iterator(area)) {
          count += entry.path().filename().string().starts_with("root-") ? 1 : 0;
        }
        return count;
      };
      if (!eventually([&] { return roots() == 1; })) return std::to_string(roots()) + " roots";
    }
    if (fs::exists(area)) return "the area is left";
    return everything() == before ? "nothing" : everything();
  });
  CHECK(seen == "nothing");
}

TEST_CASE("runs with disks go on when a cleaner of /tmp removes what their root is made in") {
  DiskBench bench;
  const auto look = [&] { return run_text(bench.look("cat /etc/hostname >/dev/null && echo ok")); };
  CHECK(look() == "ok\n");
  REQUIRE(come_to_share_a_root(bench));
  // Some of it may be entered and not listed by its owner, who is no cleaner of root here.
  const std::string area = fs::path(bench.launcher->scratch_area()).parent_path();
  // What the launcher removes meanwhile fails the one that meets it.
  const std::string clean = "chmod -R u+rwx " + area + " 2>/dev/null; rm -rf " + area;
  REQUIRE(eventually([&clean] { return std::system(clean.c_str()) == 0; }));
  CHECK(look() == "ok\n");
  CHECK(come_to_share_a_root(bench));
  CHECK(look() == "ok\n");
}

TEST_CASE("scripts do beside disks what they do without them, but for listing the root") {
  DiskBench bench;
  const Ran ran = bench.look(
      "cat /etc/passwd >/dev/null && echo etc; python3 -c 'print(1)'; printf '#!/bin/sh\\necho "
      "own\\n' > mine; chmod +x mine; ./mine; cp mine /tmp/m && /tmp/m; echo x > /dev/null; cat "
      "/proc/self/stat >/dev/null && echo proc; head -c 1 /dev/urandom >/dev/null && echo random; "
      "id -un; readlink /etc/mtab; pwd -P >/dev/null && echo pwd");
  CHECK(run_text(ran) == "etc\n1\nown\nown\nproc\nrandom\nscript\n/proc/self/mounts\npwd\n");
}
