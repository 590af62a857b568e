// What the operator shows of the host: there, read-only, and nothing beside it.
#include "tests/support/failing_calls.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"

#include "protocol/vocabulary/unique_fd.hpp"

#include <asm/unistd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;
namespace fs = std::filesystem;

namespace {

/// A directory that scripts would not see: not in /tmp, of which a run has its own.
class HostDirectory {
 public:
  HostDirectory() {
    std::string name = "/var/tmp/satellite-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
    fs::permissions(path_, fs::perms(0755));
  }
  ~HostDirectory() { fs::remove_all(path_); }
  HostDirectory(const HostDirectory&) = delete;
  HostDirectory& operator=(const HostDirectory&) = delete;

  std::string at(const std::string& name) const { return path_ + "/" + name; }
  void write(const std::string& name, const std::string& text, unsigned mode = 0644) const {
    fs::create_directories(fs::path(at(name)).parent_path());
    std::ofstream(at(name)) << text;
    fs::permissions(at(name), fs::perms(mode));
  }

 private:
  std::string path_;
};

/// A service that waits behind a path.
UniqueFd listen_at(const std::string& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      ::chmod(path.c_str(), 0666) != 0 || ::listen(socket.get(), 8) != 0) {
    throw std::runtime_error("listen");
  }
  return socket;
}

std::string seen_by(const Ran& ran) {
  return ran.standard_output + ran.standard_error + ran.result.error.value_or("");
}

std::string grants_of(const Ran& ran) {
  std::string text;
  for (const auto& grant : ran.result.sandbox.grants) text += grant + "\n";
  return text;
}

}  // namespace

TEST_CASE("a granted path is there, and nothing of it can be changed or executed") {
  const Engine engine = GENERATE(Engine::native, Engine::bwrap);
  const HostDirectory host;
  host.write("shown/text", "content\n", 0666);
  host.write("shown/below/tool", "#!/bin/sh\necho ran\n", 0777);
  host.write("beside", "not shown\n");
  fs::permissions(host.at("shown"), fs::perms(0777));
  fs::create_symlink("../beside", host.at("shown/out"));
  ScriptBench bench(engine);
  bench.settings.host_view.paths = {host.at("shown")};
  const std::string text = "cd " + host.at("shown") +
                           " && cat text; "
                           "(echo x >> text) 2>/dev/null && echo changed; "
                           "(echo x > new) 2>/dev/null && echo made; "
                           "rm -f text 2>/dev/null && echo removed; "
                           "mv text other 2>/dev/null && echo renamed; "
                           "chmod 600 text 2>/dev/null && echo chmod; "
                           "mkdir d 2>/dev/null && echo mkdir; "
                           "touch text 2>/dev/null && echo touched; "
                           "below/tool 2>/dev/null; echo $?; sh below/tool; "
                           "cat out 2>/dev/null && echo left; ls ..";
  const Ran ran = bench.run(script(text), policy_for(engine));
  INFO(name_of(engine));
  CHECK(seen_by(ran) == "content\n126\nran\nshown\n");
  CHECK(grants_of(ran) == "path " + host.at("shown") + "\n");
  CHECK(fs::exists(host.at("shown/text")));
}

TEST_CASE("granted programs are executed, with no more rights than any other") {
  const Engine engine = GENERATE(Engine::native, Engine::bwrap);
  const HostDirectory host;
  host.write("checks/tool",
             "#!/bin/sh\ngrep -c '^Cap.*0000000000000000$' /proc/self/status\nid -u\n", 04755);
  host.write("checks/data/file", "x", 0666);
  ScriptBench bench(engine);
  bench.settings.host_view.programs = {host.at("checks")};
  const Ran ran = bench.run(script("id -u; " + host.at("checks/tool") + "; (echo y > " +
                                   host.at("checks/data/file") + ") 2>/dev/null || echo kept"),
                            policy_for(engine));
  const std::string uid = ran.standard_output.substr(0, ran.standard_output.find('\n') + 1);
  CHECK(seen_by(ran) == uid + "5\n" + uid + "kept\n");
  CHECK(grants_of(ran) == "program " + host.at("checks") + "\n");
}

TEST_CASE(
    "grants are shown where the service manager takes openat2 away, and no link is followed") {
  const HostDirectory host;
  host.write("logs/app.log", "a line\n");
  const UniqueFd socket = listen_at(host.at("door"));
  // Of a filter that takes nothing away, and as by systemd's RestrictSUIDSGID=.
  const auto seen_without = [&host](long call) {
    return in_child([&] {
      fail_calls({call}, ENOSYS);
      ScriptBench bench;
      auto& view = bench.settings.host_view;
      view.paths = {host.at("logs")};
      view.sockets = {host.at("door")};
      view.disks = true;
      const std::string text = "cat " + host.at("logs/app.log") + "; test -S " + host.at("door") +
                               " && echo door; df --output=target | sort";
      Ran ran = bench.run(script(text), policy_for(Engine::native));
      std::string seen = grants_of(ran) + seen_by(ran);
      // Looked up as a directory, and a link when the run is made.
      fs::rename(host.at("logs"), host.at("moved"));
      fs::create_symlink(host.at("moved"), host.at("logs"));
      ran = bench.run(script("cat " + host.at("logs/app.log") + " 2>/dev/null"),
                      policy_for(Engine::native));
      fs::remove(host.at("logs"));
      fs::rename(host.at("moved"), host.at("logs"));
      return seen + ran.standard_output;
    });
  };
  const std::string with = seen_without(999);
  CHECK(holds(with, "a line\ndoor\n"));
  CHECK(seen_without(__NR_openat2) == with);
}

TEST_CASE("without a grant nothing is there, and automation has none by default") {
  const Engine engine = GENERATE(Engine::native, Engine::bwrap);
  const HostDirectory host;
  host.write("shown/text", "content\n");
  ScriptBench bench(engine);
  bench.settings.host_view.paths = {host.at("shown")};
  RunRequest request = script("cat " + host.at("shown/text") + " 2>/dev/null || echo nothing");
  request.kind = RunKind::automation;
  const Ran denied = bench.run(std::move(request), policy_for(engine));
  CHECK(seen_by(denied) == "nothing\n");
  CHECK(grants_of(denied).empty());
  bench.settings.host_view.for_automation = true;
  RunRequest again = script("cat " + host.at("shown/text"));
  again.kind = RunKind::automation;
  CHECK(seen_by(bench.run(std::move(again), policy_for(engine))) == "content\n");
}

TEST_CASE("one granted socket is a door, those beside it are not") {
  const Engine engine = GENERATE(Engine::native, Engine::bwrap);
  const HostDirectory host;
  const UniqueFd granted = listen_at(host.at("granted.sock"));
  const UniqueFd other = listen_at(host.at("other.sock"));
  ScriptBench bench(engine);
  bench.settings.host_view.sockets = {host.at("granted.sock")};
  const std::string connect =
      "import socket,sys\n"
      "for p in sys.argv[1:]:\n"
      "  try:\n"
      "    socket.socket(socket.AF_UNIX).connect(p); print('in')\n"
      "  except OSError as e: print(type(e).__name__)\n";
  const Ran ran = bench.run(script("python3 -c \"" + connect + "\" " + host.at("granted.sock") +
                                   " " + host.at("other.sock")),
                            policy_for(engine));
  CHECK(seen_by(ran) == "in\nFileNotFoundError\n");
}

// bubblewrap masks a file by a device, which find(1) takes for a file that can be written.
TEST_CASE("the host's /sys is read, not written, and what is dangerous in it is out of sight") {
  const Engine engine = GENERATE(Engine::native, Engine::bwrap);
  ScriptBench bench(engine);
  bench.settings.host_view.system = true;
  const Ran ran = bench.run(
      script("test -r /sys/devices/system/cpu/online && echo cpu; "
             "for d in kernel/debug kernel/tracing kernel/security fs/bpf fs/cgroup fs/pstore "
             "firmware power; do ls -A /sys/$d 2>/dev/null; done; "
             "find /sys -type f -writable -not -name vmcoreinfo 2>/dev/null | head -n 3; "
             "for f in /sys/kernel/mm/transparent_hugepage/enabled /sys/kernel/uevent_seqnum; do "
             "(: > $f) 2>/dev/null && echo wrote; done; echo end"),
      policy_for(engine));
  INFO(name_of(engine));
  CHECK(seen_by(ran) == "cpu\nend\n");
  CHECK(grants_of(ran) == "system\n");
}

TEST_CASE("prepared runs and shared roots show what is granted as it is now") {
  const HostDirectory host;
  host.write("log", "first\n");
  ScriptBench bench(Engine::native);
  bench.settings.host_view.paths = {host.at("log")};
  bench.keep_prepared(2);
  const Policy policy = policy_for(Engine::native);
  const auto look = [&] { return bench.run(script("cat " + host.at("log")), policy); };
  CHECK(seen_by(look()) == "first\n");
  REQUIRE(bench.wait_until_prepared(1));
  const Ran prepared = look();
  CHECK(seen_by(prepared) == "first\n");
  CHECK(prepared.result.was_prepared);
  CHECK(grants_of(prepared) == "path " + host.at("log") + "\n");
  // Rotated: another file stands at the place.
  REQUIRE(bench.wait_until_prepared(1));
  fs::rename(host.at("log"), host.at("log.1"));
  host.write("log", "second\n");
  CHECK(seen_by(look()) == "second\n");
  // Gone: no run fails for that, and it is told.
  fs::remove(host.at("log"));
  const Ran gone = bench.run(script("test -e " + host.at("log") + " || echo gone"), policy);
  CHECK(seen_by(gone) == "gone\n");
  CHECK(grants_of(gone).empty());
}

TEST_CASE("with a grant Landlock lets scripts do what they could before") {
  const Engine engine = GENERATE(Engine::native, Engine::bwrap);
  const HostDirectory host;
  host.write("text", "x");
  ScriptBench bench(engine);
  bench.settings.host_view.paths = {host.at("text")};
  const Ran ran = bench.run(
      script("ls / >/dev/null && echo root; cat /etc/passwd >/dev/null && echo etc; "
             "python3 -c 'print(1)'; printf '#!/bin/sh\necho own\n' > mine; chmod +x mine; ./mine; "
             "cp mine /tmp/m && /tmp/m; echo x > /dev/null; cat /proc/self/stat >/dev/null && echo "
             "proc; cat /dev/urandom | head -c 1 >/dev/null && echo random"),
      policy_for(engine));
  CHECK(seen_by(ran) == "root\netc\n1\nown\nown\nproc\nrandom\n");
}
