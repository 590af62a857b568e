// What the native engine promises a script and its host, under every engine that is called
// enforced; and who the script finds itself to be.
#include "tests/support/native_orders.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/temp_dir.hpp"

#include "sandbox/launcher/client/make_launch_order.hpp"
#include "sandbox/planning/build_plan.hpp"

#include <sys/utsname.h>
#include <unistd.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

std::string host_name() {
  struct utsname names {};
  return ::uname(&names) == 0 ? names.nodename : "";
}

/// A variable of this process, as an agent would have it, until the end of the test.
class OwnVariable {
 public:
  OwnVariable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  ~OwnVariable() {
    if (old_) {
      ::setenv(name_, old_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  OwnVariable(const OwnVariable&) = delete;
  OwnVariable& operator=(const OwnVariable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

std::string evidence_of_files(const Ran& ran) {
  REQUIRE(ran.report.has_value());
  return ran.report->layers.at(static_cast<std::size_t>(Layer::filesystem)).evidence;
}

/// An order of the shipped default for bubblewrap, as a run would send it.
LaunchOrder wrapped_order(const NativeOrders& bench) {
  RunInputs inputs;
  inputs.command = {"sh", "-c", "echo ran"};
  inputs.base_environment = {{"PATH", "/usr/bin:/bin"}};
  inputs.default_identity = bench.settings.default_identity;
  inputs.agent_identity = Identity{::geteuid(), ::getegid()};
  inputs.launcher_makes_network = true;
  inputs.engines = {Engine::bwrap};
  OrderInputs numbered;
  numbered.run_number = bench.launcher->next_run_number();
  inputs.scratch_directory = bench.launcher->scratch_directory(numbered.run_number);
  const auto decision =
      build_plan({shipped_default_policy(), false}, bench.facts, inputs, this_host_paths());
  REQUIRE(std::holds_alternative<Plan>(decision));
  auto made = make_launch_order(std::get<Plan>(decision), std::move(numbered));
  REQUIRE(made.has_value());
  REQUIRE(made->engine == Engine::bwrap);
  return *std::move(made);
}

void take_out(std::vector<std::string>& words, const std::vector<std::string>& part) {
  const auto found = std::search(words.begin(), words.end(), part.begin(), part.end());
  REQUIRE(found != words.end());
  words.erase(found, found + static_cast<std::ptrdiff_t>(part.size()));
}

}  // namespace

TEST_CASE("the environment tells of the script's account and not of the agent's") {
  const Engine engine = each_engine();
  const OwnVariable user("USER", "agent"), shell("SHELL", "/bin/shell-of-the-agent"),
      login("LOGNAME", "agent");
  ScriptBench bench(engine);
  const Ran ran = bench.run(script("echo $USER; echo $LOGNAME; test -x $SHELL && echo shell; "
                                   "cd && touch here && echo home; id -un 2>/dev/null"),
                            policy_for(engine));
  INFO(name_of(engine) << ": " << ran.standard_output << ran.standard_error);
  const auto words = ran.standard_output;
  if (engine != Engine::none) {
    CHECK(words == "script\nscript\nshell\nhome\nscript\n");
    return;
  }
  const std::string name = words.substr(0, words.find('\n'));
  // An unprivileged agent without an account of its own knows its name best.
  const bool kept = !is_root() && name == "agent";
  if (!kept) CHECK(words == name + "\n" + name + "\nshell\nhome\n" + name + "\n");
}

TEST_CASE("a script is on the host by its name, which resolves at once") {
  const Engine engine = each_engine();
  const OwnVariable stale("HOSTNAME", "another-host");
  ScriptBench bench(engine);
  const Ran ran =
      bench.run(script("hostname; uname -n; echo $HOSTNAME; getent hosts $(hostname) >/dev/null && "
                       "echo resolves; hostname -f >/dev/null && echo full; cat /etc/hostname"),
                policy_for(engine));
  const std::string name = host_name();
  INFO(name_of(engine) << ": " << ran.standard_output << ran.standard_error);
  CHECK(ran.standard_output.starts_with(name + "\n" + name + "\n" + name + "\n"));
  if (engine == Engine::none) return;  // the host's own files
  CHECK(ran.standard_output ==
        name + "\n" + name + "\n" + name + "\nresolves\nfull\n" + name + "\n");
}

TEST_CASE("a script can ping in a network of its own, without a capability") {
  const bool is_there = std::system("command -v ping >/dev/null") == 0;
  if (!require_layer("ping", is_there, "no ping program here")) return;
  const Engine engine = GENERATE(Engine::native, Engine::bwrap);
  const FilesystemMode mode = GENERATE(FilesystemMode::scratch_plus_ro, FilesystemMode::off);
  ScriptBench bench(engine);
  Policy policy = policy_for(engine);
  policy.filesystem.mode = mode;
  const std::string text =
      "for a in 127.0.0.1 ::1; do ping -n -c 1 -W 20 $a >/dev/null && echo answered; done; "
      "grep -c '^Cap.*0000000000000000$' /proc/self/status";
  const Ran ran = bench.run(script(text), policy);
  INFO(name_of(engine) << ": " << ran.standard_output << ran.standard_error
                       << ran.result.error.value_or(""));
  CHECK(ran.standard_output == "answered\nanswered\n5\n");
}

TEST_CASE("a program with file capabilities can be executed without any sandbox") {
  const bool is_there = std::system("command -v ping >/dev/null") == 0;
  if (!require_layer("ping", is_there, "no ping program here")) return;
  ScriptBench bench(Engine::none);
  const Ran ran = bench.run(script("ping -V"), policy_for(Engine::none));
  INFO(ran.standard_output << ran.standard_error);
  CHECK(ran.result.exit_code == 0);
}

TEST_CASE("of /etc a confined script sees what programs need and no more") {
  const Engine engine = each_confining_engine();
  ScriptBench bench(engine);
  REQUIRE(std::filesystem::exists("/etc/shadow"));
  const Ran ran = bench.run(
      script("for f in shadow gshadow sudoers crontab fstab ssh/sshd_config machine-id; do "
             "test -e /etc/$f && echo $f; done; test -r /etc/nsswitch.conf && echo resolver; "
             "grep -c . /etc/passwd; id -un; id -gn; getent hosts localhost >/dev/null && "
             "echo resolves; test -d /etc/ssl/certs && echo certificates"),
      policy_for(engine));
  INFO(ran.standard_error);
  const bool has_certificates = std::filesystem::exists("/etc/ssl/certs");
  const bool host_resolves = std::system("getent hosts localhost >/dev/null") == 0;
  CHECK(ran.standard_output == std::string("resolver\n3\nscript\nscript\n") +
                                   (host_resolves ? "resolves\n" : "") +
                                   (has_certificates ? "certificates\n" : ""));
}

TEST_CASE("what a confined script can fill in memory has a size, and its root takes no writes") {
  const Engine engine = each_confining_engine();
  ScriptBench bench(engine);
  const Ran ran = bench.run(
      script("for d in / /etc /dev /proc; do touch $d/no 2>/dev/null && echo wrote $d; done; "
             "stat -f -c '%b %S' /tmp /dev/shm | while read b s; do echo $((b*s)); done; "
             "touch /tmp/yes /dev/shm/yes yes && echo wrote"),
      policy_for(engine));
  CHECK(ran.standard_output == "268435456\n67108864\nwrote\n");
  const std::string evidence = evidence_of_files(ran);
  CHECK(evidence.find("/tmp of 268435456 bytes") != std::string::npos);
  CHECK(evidence.find("/dev/shm of 67108864 bytes") != std::string::npos);
}

TEST_CASE("a sized scratch directory is full at its size under every confining engine") {
  const Engine engine = each_confining_engine();
  ScriptBench bench(engine);
  Policy policy = policy_for(engine);
  policy.filesystem.scratch_bytes = 1U << 20U;
  const Ran ran = bench.run(script("head -c 900000 /dev/zero > fits && echo fits; "
                                   "head -c 900000 /dev/zero > more || echo full; stat -fc %T ."),
                            policy);
  CHECK(ran.standard_output == "fits\nfull\ntmpfs\n");
  CHECK(ran.result.sandbox.notes.size() ==
        bench.run(script("true"), policy_for(engine)).result.sandbox.notes.size());
}

TEST_CASE("what proc tells of the host is masked, and nothing of it takes a write") {
  const Engine engine = each_confining_engine();
  ScriptBench bench(engine);
  const Ran ran = bench.run(
      script("cat /proc/keys /proc/kallsyms /proc/timer_list /proc/kcore /proc/kmsg 2>/dev/null; "
             "for f in sys/kernel/core_pattern sysrq-trigger sys/vm/drop_caches; do "
             "sh -c \"echo > /proc/$f\" 2>/dev/null && echo wrote $f; done; "
             "test -r /proc/loadavg && test -r /proc/meminfo && echo load"),
      policy_for(engine));
  CHECK(ran.standard_output == "load\n");
}

TEST_CASE("a confined script is the first to go when memory ends, and stays it") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const Ran ran = bench.run(script("cat /proc/$$/oom_score_adj; "
                                   "(echo 0 >/proc/$$/oom_score_adj) 2>/dev/null && echo lowered"),
                            policy_for(engine));
  // Nothing but Landlock keeps it, which a run without an engine has not.
  const bool is_kept = evidence_of_files(ran).find("Landlock ABI") != std::string::npos;
  CHECK(ran.standard_output == (is_kept ? "1000\n" : "1000\nlowered\n"));
  if (engine == Engine::none) CHECK_FALSE(is_kept);
}

TEST_CASE("every layer of a bubblewrap run shows in its evidence") {
  ScriptBench bench(Engine::bwrap);
  const Ran ran = bench.run(script("true"), shipped_default_policy());
  REQUIRE(ran.report.has_value());
  CHECK(ran.report->engine == "bwrap");
  CHECK(ran.report->enforced == EnforcedLayers{true, true, true, true});
  const auto& privilege = ran.report->layers.at(static_cast<std::size_t>(Layer::privilege));
  CHECK(privilege.evidence.find("CapEff 0, CapBnd 0, NoNewPrivs 1, Seccomp 2 with") !=
        std::string::npos);
  CHECK(privilege.evidence.find("of init 2") != std::string::npos);
  ScriptBench native;
  const Ran other = native.run(script("true"), shipped_default_policy());
  const bool has_landlock = evidence_of_files(other).find("Landlock ABI") != std::string::npos;
  CHECK((evidence_of_files(ran).find("Landlock ABI") != std::string::npos) == has_landlock);
}

TEST_CASE("what bubblewrap promised and did not do is missed at the barrier") {
  NativeOrders bench;
  bench.try_engines({Engine::bwrap});
  LaunchOrder order = wrapped_order(bench);
  const auto refused = [&] {
    const auto end = bench.perform(order);
    CHECK(end.output.empty());
    INFO("event " << end.record.event.index());
    REQUIRE(std::holds_alternative<RunRefused>(end.record.event));
    return std::get<RunRefused>(end.record.event).missing;
  };
  SECTION("nothing is wrong with it") {
    const auto end = bench.perform(order);
    CHECK(std::holds_alternative<RunEnded>(end.record.event));
    CHECK(end.output == "ran\n");
  }
  SECTION("the root takes writes") {
    take_out(order.wrapper, {"--remount-ro", "/", "--chdir"});
    order.wrapper.insert(order.wrapper.end() - 1, "--chdir");
    CHECK(refused().find("the root is writable") != std::string::npos);
  }
  SECTION("the /tmp has no size") {
    take_out(order.wrapper, {"--size", "268435456"});
    CHECK(refused().find("filesystem: /tmp in memory may hold") != std::string::npos);
  }
  SECTION("the devices lie in a file system that takes writes") {
    take_out(order.wrapper, {"--remount-ro", "/dev"});
    CHECK(refused().find("filesystem: /dev in memory may hold") != std::string::npos);
  }
  SECTION("a system directory is writable") {
    const auto found = std::search_n(order.wrapper.begin(), order.wrapper.end(), 2, "/usr");
    REQUIRE(found != order.wrapper.end());
    *(found - 1) = "--bind";
    CHECK(refused().find("filesystem: /usr") == 0);
  }
  CHECK(std::filesystem::is_empty(bench.launcher->scratch_area()));
}

TEST_CASE("an older bubblewrap works, and the report says what it cannot bound") {
  TempDir directory;
  std::filesystem::permissions(directory.path(), std::filesystem::perms{0755});
  const std::string path =
      directory.write("bwrap",
                      "#!/bin/sh\n"
                      "for word; do case $word in --size|--perms)\n"
                      "  echo \"bwrap: Unknown option $word\" >&2; exit 1;; esac; done\n"
                      "exec /usr/bin/bwrap \"$@\"\n");
  std::filesystem::permissions(path, std::filesystem::perms{0755});
  const OwnVariable search("PATH", directory.path().string() + ":" + std::getenv("PATH"));
  ScriptBench bench(Engine::bwrap);
  CHECK(bench.facts.wrapper == Wrapper::bwrap);
  CHECK_FALSE(bench.facts.wrapper_sizes_memory);
  Policy policy = policy_for(Engine::bwrap);
  policy.filesystem.scratch_bytes = 1U << 20U;
  const Ran ran = bench.run(script("touch /no; touch yes /tmp/yes && echo wrote"), policy);
  CHECK(ran.standard_output == "wrote\n");
  REQUIRE(ran.report.has_value());
  const auto& notes = ran.report->notes;
  const auto says = [&notes](std::string_view words) {
    return std::any_of(notes.begin(), notes.end(), [words](const auto& note) {
      return note.note.find(words) != std::string::npos;
    });
  };
  CHECK(says("scratchBytes does not limit this run"));
  CHECK(says("/tmp and /dev/shm of this run are in memory and have no size of their own"));
}

TEST_CASE("the usual programs work in every confining engine") {
  const Engine engine = each_confining_engine();
  ScriptBench bench(engine);
  Policy policy = policy_for(engine);
  policy.resources.max_processes.reset();  // a Java runtime has many threads
  const Ran ran = bench.run(
      script("bash -c 'echo bash $((1+1))'; perl -MSocket -MSys::Hostname -e 'print \"perl\\n\" "
             "if inet_aton(hostname())'; "
             "test ! -x /usr/bin/python3 || /usr/bin/python3 -c 'import threading, ssl, socket, "
             "getpass; t = threading.Thread(target=int); t.start(); t.join(); "
             "socket.gethostbyname(socket.getfqdn()); assert getpass.getuser() == \"script\"' || "
             "echo python fails; "
             "test ! -x /usr/bin/git || git --version >/dev/null || echo git fails; "
             "test ! -x /usr/bin/curl || curl --version >/dev/null || echo curl fails; "
             "test ! -x /usr/bin/ssh || ssh -T -G localhost >/dev/null || echo ssh fails; "
             "test ! -x /usr/bin/node || node -e 'require(\"dns\").lookup(require(\"os\")."
             "hostname(), e => { if (e) throw e })' || echo node fails"),
      policy);
  CHECK(ran.standard_output == "bash 2\nperl\n");
  CHECK(ran.standard_error.empty());
}
