#include "tests/support/in_child.hpp"
#include "tests/support/script_bench.hpp"

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/bare/hardening.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

/// Makes a terminal its own and types into it, with the plain command and with a bit set that the
/// kernel never reads; says for each what came of it.
const std::string type_into_terminal = R"(exec perl -e '
  $| = 1;
  open(my $master, "+<", "/dev/ptmx") or die "no terminal: $!";
  ioctl($master, 0x40045431, my $unlocked = pack("i", 0)) or die "unlock: $!";
  ioctl($master, 0x80045430, my $number = pack("i", 0)) or die "number: $!";
  open(my $terminal, "+<", "/dev/pts/" . unpack("i", $number)) or die "open: $!";
  for my $command (0x5412, 0x5412 | 1 << 32) {
    my $typed = syscall()" + std::to_string(SYS_ioctl) +
                                       R"(, fileno($terminal), $command, my $letter = "x");
    print $typed == 0 ? "typed\n" : "denied " . ($! + 0) . "\n";
  }')";

std::string children_of_process(pid_t pid) {
  return read_proc(pid, "task/" + std::to_string(pid) + "/children");
}

/// Host pids of the inits below one launcher, at whatever depth, that have a script below them: the
/// init of an earlier run may be on its way out.
std::vector<pid_t> inits_below(pid_t launcher) {
  std::vector<pid_t> found;
  std::istringstream children(children_of_process(launcher));
  for (pid_t pid = 0; children >> pid;) {
    const bool is_init = read_proc(pid, "comm") == "csat-init\n";
    if (is_init && !children_of_process(pid).empty()) found.push_back(pid);
    for (const pid_t deeper : inits_below(pid)) found.push_back(deeper);
  }
  return found;
}

/// Of a process that can be dumped they belong to its user, else to root, proc(5).
uid_t owner_of_its_files(pid_t pid) {
  struct stat facts {};
  const std::string file = "/proc/" + std::to_string(pid) + "/environ";
  return ::stat(file.c_str(), &facts) == 0 ? facts.st_uid : static_cast<uid_t>(-1);
}

std::string seccomp_mode_of(pid_t pid) {
  const std::string status = read_proc(pid, "status");
  const auto at = status.find("\nSeccomp:\t");
  return at == std::string::npos ? "unknown" : status.substr(at + 10, 1);
}

}  // namespace

TEST_CASE("the init of a confined run is filtered before its script starts, and others are not") {
  const Engine engine =
      GENERATE(from_range(with_nsjail({Engine::none, Engine::bwrap, Engine::native})));
  ScriptBench bench(engine);
  Listener listener;
  std::vector<std::string> modes;
  // By then the script's process is no copy of init any more.
  listener.on_output = [&](const std::string&) {
    for (const pid_t pid : inits_below(bench.launcher->pid())) {
      modes.push_back(seccomp_mode_of(pid));
    }
    for (const auto& run : std::filesystem::directory_iterator(bench.launcher->scratch_area())) {
      std::ofstream(run.path() / "scratch" / "seen") << "yes";
    }
  };
  // It waits to be seen. Children that end before and after it make init do all that it ever does.
  const Ran ran = bench.run(script("echo up; until [ -e seen ]; do :; done; "
                                   "(setsid sleep 1000 &) >/dev/null 2>&1; true & wait; exit 3"),
                            policy_for(engine), listener);
  CHECK(ran.result.exit_code == 3);
  CHECK(modes == std::vector<std::string>{engine == Engine::none ? "0" : "2"});
  if (engine != Engine::native) return;
  CHECK(ran.result.sandbox.layers.at(static_cast<std::size_t>(Layer::privilege))
            .evidence.find("of init 2") != std::string::npos);
}

TEST_CASE("an init cannot be dumped or debugged while its script runs") {
  const bool from_prepared = GENERATE(false, true);
  ScriptBench bench(Engine::native);
  bench.keep_prepared(from_prepared ? 1 : 0);
  Listener listener;
  std::vector<std::pair<uid_t, uid_t>> owners;
  listener.on_output = [&](const std::string&) {
    for (const pid_t init : inits_below(bench.launcher->pid())) {
      std::istringstream children(read_proc(init, "task/" + std::to_string(init) + "/children"));
      for (pid_t pid = 0; children >> pid;) {
        const bool is_waiting = read_proc(pid, "comm") == "csat-init\n";
        if (is_waiting) continue;
        owners.emplace_back(owner_of_its_files(init), owner_of_its_files(pid));
        std::ofstream("/proc/" + std::to_string(pid) + "/cwd/seen");
      }
    }
  };
  bool was_prepared = false;
  for (int runs = 0; runs < 50 && (runs == 0 || was_prepared != from_prepared); ++runs) {
    if (from_prepared) bench.wait_until_prepared(1, std::chrono::seconds(3));
    owners.clear();
    const Ran ran = bench.run(script("echo up; while [ ! -e seen ]; do sleep 0.1; done"),
                              policy_for(Engine::native), listener);
    was_prepared = ran.result.was_prepared;
    REQUIRE(owners.size() == 1);
    CHECK(owners.front().first == 0);
    CHECK(owners.front().second != 0);
  }
  CHECK(was_prepared == from_prepared);
}

TEST_CASE("without Landlock a script's process could write the file by which Landlock is tried") {
  // As it is at its barrier under root: of another user, and not to be dumped.
  const std::string seen = in_child([]() -> std::string {
    const uid_t user = ::geteuid() == 0 ? 65'532 : ::geteuid();
    if (::setresuid(user, user, user) != 0) return "no change of user";
    ::prctl(PR_SET_DUMPABLE, 0);
    const UniqueFd opened(::open(bare::landlock_trial_file, O_WRONLY | O_CLOEXEC));
    return opened ? "open" : "refused";
  });
  CHECK(seen == "open");
}

TEST_CASE("nothing can be typed into a terminal, and without an engine it can") {
  ScriptBench confined;
  const Ran denied = confined.run(script(type_into_terminal), policy_for(Engine::native));
  CHECK(denied.standard_error.empty());
  CHECK(denied.standard_output == "denied 1\ndenied 1\n");
  ScriptBench open(Engine::none);
  const Ran typed = open.run(script(type_into_terminal), policy_for(Engine::none));
  CHECK(typed.standard_output == "typed\ntyped\n");
}

TEST_CASE("a native script makes no namespace, and without an engine it can") {
  ScriptBench confined;
  const std::string text = "unshare --user true && echo made";
  CHECK(confined.run(script(text), policy_for(Engine::native)).standard_output.empty());
  ScriptBench open(Engine::none);
  CHECK(open.run(script(text), policy_for(Engine::none)).standard_output == "made\n");
}

TEST_CASE("a sized scratch directory is full at its size, and the host's disk is not") {
  ScriptBench bench;
  Policy policy = policy_for(Engine::native);
  policy.filesystem.scratch_bytes = 1U << 20U;
  const Ran ran = bench.run(script("head -c 900000 /dev/zero > fits && echo fits; "
                                   "head -c 900000 /dev/zero > more || echo full; stat -fc %T ."),
                            policy);
  CHECK(ran.standard_output == "fits\nfull\ntmpfs\n");
  CHECK(ran.standard_error.find("No space left on device") != std::string::npos);
  policy.filesystem.scratch_bytes.reset();
  CHECK(
      bench.run(script("head -c 1800000 /dev/zero > more && echo fits"), policy).standard_output ==
      "fits\n");
}

TEST_CASE("every layer of a native run shows in its evidence") {
  ScriptBench bench;
  const Ran ran = bench.run(script("true"), shipped_default_policy());
  REQUIRE(ran.report.has_value());
  CHECK(ran.report->engine == "native");
  CHECK(ran.report->enforced == EnforcedLayers{true, true, true, true});
  CHECK(ran.report->downgrades.empty());
  for (const auto& layer : ran.report->layers) CHECK(layer.state == LayerState::enforced);
  const auto& privilege = ran.report->layers.at(static_cast<std::size_t>(Layer::privilege));
  CHECK(privilege.evidence.find("CapEff 0, CapBnd 0, NoNewPrivs 1, Seccomp 2 with") !=
        std::string::npos);
}
