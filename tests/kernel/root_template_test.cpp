#include "tests/support/in_child.hpp"
#include "tests/support/native_orders.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/mount.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;
namespace fs = std::filesystem;

// Runs of one kind start in copies of one root. What makes that visible is the number of the
// root's device, which is each run's own where it built its root itself.

namespace {

std::string root_device(ScriptBench& bench, const Policy& policy) {
  return bench.run(script("stat -c %d /"), policy).standard_output;
}

/// Whether runs of this policy come to have one root. A number alone may be given twice, to two
/// roots one after the other.
bool share_a_root(ScriptBench& bench, const Policy& policy) {
  std::string last;
  return eventually([&] {
    const Ran ran = bench.run(script("stat -c %d /"), policy);
    const bool is_same = ran.standard_output == std::exchange(last, ran.standard_output);
    return ran.result.root_was_ready && !last.empty() && is_same;
  });
}

void copy_etc(const fs::path& to) {
  fs::copy("/etc", to,
           fs::copy_options::recursive | fs::copy_options::copy_symlinks |
               fs::copy_options::skip_existing);
}

bool can_change_mounts() {
  return require_layer("root", is_root(), "only root can change what is mounted on the host");
}

}  // namespace

TEST_CASE("runs of one policy share a root that none of them can write to") {
  ScriptBench bench(Engine::native);
  const Policy policy = policy_for(Engine::native);
  REQUIRE(share_a_root(bench, policy));
  const Ran first = bench.run(
      script("for place in / /etc /dev /usr /proc/sys; do touch $place/left 2>/dev/null && echo "
             "wrote $place; done; echo x > /tmp/left; echo x > /dev/shm/left; echo x > left; ls "
             "/tmp/left /dev/shm/left left"),
      policy);
  CHECK(first.standard_output == "/dev/shm/left\n/tmp/left\nleft\n");
  const Ran second = bench.run(script("ls -A . /dev/shm; ls /tmp /etc/left /left 2>/dev/null; "
                                      "id -un; cat /etc/passwd | grep -c $(pwd)"),
                               policy);
  CHECK(second.standard_output.find("left") == std::string::npos);
  CHECK(second.standard_output.find("script\n1\n") != std::string::npos);
}

TEST_CASE("a run in a copy of a root has its own processes, host name and mounts") {
  ScriptBench bench(Engine::native);
  const Policy policy = policy_for(Engine::native);
  // Without root another proc, in which nobody lives, lies below the run's own.
  const std::string list = "cut -d' ' -f5,6,9- /proc/self/mountinfo | sort -u";
  const std::string built = bench.run(script(list), policy).standard_output;
  REQUIRE(share_a_root(bench, policy));
  const Ran copied = bench.run(script(list), policy);
  // Only the scratch directory is named after the run.
  const auto without_number = [](std::string text) {
    for (auto at = text.find("run-"); at != std::string::npos; at = text.find("run-", at + 4)) {
      const auto end = text.find('/', at);
      text.replace(at, end - at, "run-");
    }
    return text;
  };
  CHECK(without_number(copied.standard_output) == without_number(built));
  const Ran pids = bench.run(script("ls -d /proc/[0-9]* | wc -l"), policy);
  CHECK(std::stoi(pids.standard_output) <= 5);
}

TEST_CASE("no run holds up another one by a lease on a file of the root that they share") {
  const std::string lease =
      "perl -e 'open(F, \"<\", $ARGV[0]); print fcntl(F, 1024, 1) ? "
      "\"taken\" : 0 + $!' ";
  const TempDir files;
  const std::string own = files.write("own", "x");
  REQUIRE(std::system((lease + own + " | grep -q taken").c_str()) == 0);
  ScriptBench bench(Engine::native);
  const Policy policy = policy_for(Engine::native);
  REQUIRE(share_a_root(bench, policy));
  CHECK(bench.run(script(lease + "/etc/hosts"), policy).standard_output == "1");
}

TEST_CASE("another policy has another root, and the first one's runs keep theirs") {
  ScriptBench bench(Engine::native);
  Policy policy = policy_for(Engine::native);
  REQUIRE(share_a_root(bench, policy));
  const std::string device = root_device(bench, policy);
  Policy other = policy;
  other.filesystem.scratch_bytes = 1U << 20U;
  const Ran sized = bench.run(script("df -k . | tail -n 1 | tr -s ' ' | cut -d' ' -f2"), other);
  CHECK(sized.standard_output == "1024\n");
  CHECK(root_device(bench, policy) == device);
}

TEST_CASE("a change of the host is seen by the next run, in a file as in a mount") {
  if (!can_change_mounts()) return;
  const TempDir files;
  const std::string hosts = files.write("hosts", "192.0.2.7 first\n");
  const std::string seen = in_child([&]() -> std::string {
    take_own_mounts();
    if (::mount(hosts.c_str(), "/etc/hosts", nullptr, MS_BIND, nullptr) != 0) return "bind";
    ScriptBench bench(Engine::native);
    const Policy policy = policy_for(Engine::native);
    if (!share_a_root(bench, policy)) return "no template";
    std::string text;
    const auto look = [&] {
      text += bench.run(script("head -n 1 /etc/hosts; ls /usr/share/doc | head -n 1"), policy)
                  .standard_output;
    };
    files.write("hosts", "192.0.2.8 second\n");
    look();
    if (!share_a_root(bench, policy)) return "no template after a change";
    if (::mount("tmpfs", "/usr/share/doc", "tmpfs", 0, nullptr) != 0) return "mount";
    std::ofstream("/usr/share/doc/0-mounted") << "x";
    look();
    if (!share_a_root(bench, policy)) return "no template after a mount";
    if (::umount("/usr/share/doc") != 0) return "unmount";
    look();
    return text;
  });
  INFO(seen);
  CHECK(seen.starts_with("192.0.2.8 second\n"));
  CHECK(seen.find("192.0.2.8 second\n0-mounted\n192.0.2.8 second\n") != std::string::npos);
  CHECK(seen.rfind("0-mounted") < seen.rfind("192.0.2.8"));
}

TEST_CASE("a file of the host that appears is shown, one that goes is not") {
  if (!can_change_mounts()) return;
  const std::string seen = in_child([]() -> std::string {
    take_own_mounts();
    const TempDir etc;
    copy_etc(etc.path());
    fs::remove(etc.path() / "locale.conf");
    fs::permissions(etc.path(), fs::perms(0755));
    if (::mount(etc.path().c_str(), "/etc", nullptr, MS_BIND, nullptr) != 0) return "bind";
    ScriptBench bench(Engine::native);
    const Policy policy = policy_for(Engine::native);
    if (!share_a_root(bench, policy)) return "no template";
    const auto look = [&] {
      return bench.run(script("cat /etc/locale.conf 2>/dev/null || echo none"), policy)
          .standard_output;
    };
    std::string text = look();
    std::ofstream("/etc/locale.conf") << "LANG=C\n";
    text += look();
    fs::remove("/etc/locale.conf");
    return text + look();
  });
  CHECK(seen == "none\nLANG=C\nnone\n");
}

TEST_CASE("what appears several directories below one that was missing is shown") {
  if (!can_change_mounts()) return;
  const std::string seen = in_child([]() -> std::string {
    take_own_mounts();
    const TempDir etc;
    copy_etc(etc.path());
    fs::permissions(etc.path(), fs::perms(0755));
    fs::remove_all(etc.path() / "pki");
    fs::remove(etc.path() / "resolv.conf");
    fs::create_symlink("/mnt/resolver/resolv.conf", etc.path() / "resolv.conf");
    if (::mount(etc.path().c_str(), "/etc", nullptr, MS_BIND, nullptr) != 0) return "bind";
    if (::mount("tmpfs", "/mnt", "tmpfs", 0, nullptr) != 0) return "tmpfs";
    ScriptBench bench(Engine::native);
    const Policy policy = policy_for(Engine::native);
    if (!share_a_root(bench, policy)) return "no template";
    const auto look = [&] {
      return bench
          .run(script("cat /etc/pki/tls/certs/one /etc/resolv.conf 2>/dev/null; echo ."), policy)
          .standard_output;
    };
    std::string text = look();
    for (const char* directory : {"/etc/pki", "/etc/pki/tls", "/etc/pki/tls/certs"}) {
      fs::create_directory(directory);
      look();  // each is seen by itself
    }
    std::ofstream("/etc/pki/tls/certs/one") << "one\n";
    text += look();
    fs::create_directory("/mnt/resolver");
    look();
    std::ofstream("/mnt/resolver/resolv.conf") << "two\n";
    return text + look();
  });
  CHECK(seen == ".\none\n.\none\ntwo\n.\n");
}

TEST_CASE("nothing of templates and ready networks is left when a launcher ends") {
  const std::string mounts = read_proc(::getpid(), "mountinfo");
  pid_t launcher = -1;
  {
    ScriptBench bench(Engine::native);
    launcher = bench.launcher->pid();
    const Policy policy = policy_for(Engine::native);
    REQUIRE(share_a_root(bench, policy));
    // Builders come and go; what they made is held by descriptors of the launcher alone.
    CHECK(eventually([&] { return count_children(launcher) == 0; }));
  }
  CHECK(read_proc(launcher, "stat").empty());
  CHECK(read_proc(::getpid(), "mountinfo") == mounts);
}

TEST_CASE("runs go on when somebody removes all scratch directories, as cleaners of /tmp do") {
  ScriptBench bench(Engine::native);
  const Policy policy = policy_for(Engine::native);
  REQUIRE(share_a_root(bench, policy));
  const auto write = [&] {
    return bench.run(script("echo x > file && cat file"), policy).standard_output;
  };
  CHECK(write() == "x\n");
  fs::remove_all(bench.launcher->scratch_area());
  CHECK(write() == "x\n");
  CHECK(write() == "x\n");
  CHECK(share_a_root(bench, policy));
}

TEST_CASE("a scratch directory that does not lie below /tmp is the only thing to write to there") {
  std::string parent = "/var/tmp/root-template-XXXXXX";
  REQUIRE(::mkdtemp(parent.data()) != nullptr);
  {
    ScriptBench bench(Engine::native, ScriptBench::Egress::untried, std::nullopt, std::nullopt,
                      RootScripts::refused, parent);
    fs::permissions(parent, fs::perms(0755));
    const Policy policy = policy_for(Engine::native);
    const auto look = [&] {
      return bench
          .run(script("ls -A . ; echo x > file && cat file; cd .. && touch beside "
                      "2>/dev/null; cd .. && touch above 2>/dev/null; ls | wc -l"),
               policy)
          .standard_output;
    };
    const std::string built = look();
    CHECK(built == "x\n1\n");
    REQUIRE(share_a_root(bench, policy));
    CHECK(look() == built);
  }
  fs::remove_all(parent);
}
