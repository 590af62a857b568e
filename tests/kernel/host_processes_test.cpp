// The host's processes as any user sees them: looked at, and out of reach. A run that sees them has
// no pid namespace, and ends as a whole all the same.
#include "tests/support/kept_signals.hpp"
#include "tests/support/loopback_port.hpp"
#include "tests/support/module_bench.hpp"
#include "tests/support/native_orders.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <iterator>
#include <set>
#include <sstream>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

/// A process of the host that is no run's, `sleep MARKER`.
class OtherProcess {
 public:
  explicit OtherProcess(const std::string& marker) : pid_(::fork()) {
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::execlp("sleep", "sleep", marker.c_str(), nullptr);
      ::_exit(1);
    }
    eventually([&] { return count_processes(marker) > 0; });
  }
  ~OtherProcess() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;

  std::string pid() const { return std::to_string(pid_); }

 private:
  pid_t pid_;
};

bool shows_processes(const Ran& ran) {
  const auto& grants = ran.result.sandbox.grants;
  return std::find(grants.begin(), grants.end(), "processes") != grants.end();
}

std::string all_notes(const Ran& ran) {
  std::string text;
  for (const auto& note : ran.result.sandbox.notes) text += note.note + "\n";
  return text;
}

std::string told_by(const Ran& ran) {
  return ran.standard_output + ran.standard_error + ran.result.error.value_or("");
}

const IdentityRange own_ids = identities_of_this_process(8);

/// A bench whose runs see the host's processes.
struct ProcessBench : ScriptBench {
  explicit ProcessBench(KeptSignals chosen = KeptSignals::by_scope, Engine engine = Engine::native)
      : ScriptBench(engine, Egress::untried, std::nullopt, range_for(chosen, own_ids),
                    RootScripts::refused, "/tmp", landlock_abi_for(chosen)),
        kept(chosen) {
    settings.host_view.processes = true;
  }
  bool is_possible() const {
    if (kept == KeptSignals::by_scope) {
      return require_layer("signal_scope", facts.keeps_signals,
                           "needs Landlock ABI 6 (Linux 6.12)");
    }
    CHECK_FALSE(facts.keeps_signals);
    return require_layer("root", is_root(), "only root can give a run a user of its own");
  }

  KeptSignals kept;
};

/// Whose command lines hold the marker, since the script's text is in none of them.
RunRequest with_marker(std::string text, const std::string& marker) {
  RunRequest request = script(std::move(text));
  request.arguments = {"sh", marker};
  return request;
}

/// A daemon by the book, and a line of processes each of which starts the next one and ends.
std::string leave_behind(const std::string& marker) {
  return "setsid sh -c 'setsid sleep " + marker +
         " </dev/null >/dev/null 2>&1 &' & "
         "hop() { sleep 0.002; hop & }; hop >/dev/null 2>&1 & "
         "until pgrep -f '^sleep " +
         marker + "' >/dev/null; do sleep 0.01; done; echo ready; ";
}

}  // namespace

TEST_CASE("a run with processes sees those of the host as any user does", "[processes]") {
  ProcessBench bench(GENERATE(KeptSignals::by_scope, KeptSignals::by_users));
  if (!bench.is_possible()) return;
  const std::string marker = unique_marker();
  const OtherProcess bystander(marker);
  const std::string text =
      "pgrep -f 'sleep " + marker + "'; ps -o args= -p " + bystander.pid() +
      "; read -r own rest </proc/self/stat; [ $own = $$ ] && echo self; "
      "ps -o pid= -p $$ | tr -d ' ' | grep -qx $$ && echo found; "
      "cat /proc/1/comm >/dev/null && echo first; "
      "for file in environ fd/0 cwd/ root/ mem; do "
      "cat /proc/" +
      bystander.pid() + "/$file >/dev/null 2>&1 && echo \"read $file\"; ls /proc/" +
      bystander.pid() + "/$file >/dev/null 2>&1 && echo \"listed $file\"; done; true";
  const std::string expected = bystander.pid() + "\nsleep " + marker + "\nself\nfound\nfirst\n";
  const auto is_prepared = GENERATE(false, true);
  if (is_prepared) bench.keep_prepared(1);
  // The first builds its root itself, the others have a copy of a template.
  for (int i = 0; i < 3; ++i) {
    const Ran ran = bench.run(script(text), policy_for(Engine::native));
    INFO(i << " " << all_notes(ran));
    // The names of directories and of memory are told to everybody, by their modes.
    std::string seen = told_by(ran);
    for (const char* harmless : {"listed mem\n", "listed environ\n"}) {
      const auto at = seen.find(harmless);
      if (at != std::string::npos) seen.erase(at, std::string(harmless).size());
    }
    CHECK(seen == expected);
    CHECK(shows_processes(ran));
    for (const auto& layer : ran.result.sandbox.layers) {
      CHECK(layer.state == LayerState::enforced);
    }
    if (is_prepared) REQUIRE(bench.wait_until_prepared(1));
    if (is_prepared && i > 0) CHECK(ran.result.was_prepared);
  }
}

TEST_CASE("owners of processes are told where the satellite is root, and else nobody's") {
  ProcessBench bench;
  if (!bench.is_possible()) return;
  const Ran ran = bench.run(script("ps -o user= -p 1; id -un; "
                                   "ps -e -o user= | grep -cv -e nobody -e script | "
                                   "grep -qx 0 && echo unknown || echo known"),
                            policy_for(Engine::native));
  CHECK(told_by(ran) == (is_root() ? "root\nscript\nknown\n" : "nobody\nscript\nunknown\n"));
}

TEST_CASE("nothing of a run with processes is alive after it, however it was left", "[processes]") {
  ProcessBench bench(GENERATE(KeptSignals::by_scope, KeptSignals::by_users));
  if (!bench.is_possible()) return;
  const std::string marker = unique_marker();
  const OtherProcess bystander("9" + unique_marker());
  bench.settings.grace = 50ms;
  Listener listener;
  int seen_alive = 0;
  listener.on_output = [&](const std::string&) {
    seen_alive = count_processes(marker);
    bench.put_in_scratch("seen");
  };
  SECTION("after a normal end") {
    const Ran ran = bench.run(
        with_marker(leave_behind(marker) + "until [ -e seen ]; do sleep 0.01; done", marker),
        policy_for(Engine::native), listener);
    CHECK(ran.result.outcome == Outcome::exited);
    CHECK(ran.result.exit_code == 0);
  }
  SECTION("after a timeout that it ignores") {
    RunRequest request =
        with_marker("trap '' TERM; " + leave_behind(marker) + "while :; do sleep 1; done", marker);
    request.timeout = 2 * time_to_begin;  // of an emulated machine, too
    const Ran ran = bench.run(std::move(request), policy_for(Engine::native), listener);
    CHECK(ran.result.outcome == Outcome::timed_out);
  }
  SECTION("after a cancel") {
    listener.on_output = [&](const std::string&) {
      seen_alive = count_processes(marker);
      bench.cancel->cancel();
    };
    const Ran ran = bench.run(with_marker(leave_behind(marker) + "sleep 1000", marker),
                              policy_for(Engine::native), listener);
    CHECK(ran.result.outcome == Outcome::cancelled);
  }
  SECTION("after its init was killed from outside") {
    listener.on_output = [&](const std::string&) {
      seen_alive = count_processes(marker);
      for (const pid_t pid : processes_with(marker)) {
        int parent = 0;
        const std::string stat = read_proc(pid, "stat");
        if (std::sscanf(stat.c_str() + stat.rfind(')') + 1, " %*c %d", &parent) != 1) continue;
        const bool is_init = read_proc(parent, "comm") == "csat-init\n";
        if (is_init) ::kill(parent, SIGKILL);
      }
    };
    const Ran ran = bench.run(with_marker(leave_behind(marker) + "sleep 1000", marker),
                              policy_for(Engine::native), listener);
    CHECK(ran.result.outcome != Outcome::exited);
  }
  CHECK(seen_alive >= 2);
  const auto left = processes_with(marker);
  for (const pid_t pid : left) UNSCOPED_INFO(read_proc(pid, "status"));
  CHECK(left.empty());
  CHECK(::kill(std::stoi(bystander.pid()), 0) == 0);
}

TEST_CASE("when the launcher is killed nothing of a run with processes stays", "[processes]") {
  const KeptSignals kept = GENERATE(KeptSignals::by_scope, KeptSignals::by_users);
  ProcessBench asked(kept);
  if (!asked.is_possible()) return;
  const bool together_with_agent = GENERATE(false, true);
  const std::string marker = unique_marker();
  int ends[2] = {-1, -1};
  REQUIRE(::pipe(ends) == 0);
  const pid_t agent = ::fork();
  REQUIRE(agent >= 0);
  if (agent == 0) {
    ::close(ends[0]);
    ProcessBench bench(kept);
    Listener listener;
    listener.on_output = [&](const std::string&) {
      const pid_t launcher = bench.launcher->pid();
      if (::write(ends[1], &launcher, sizeof(launcher)) < 0) ::_exit(1);
      ::close(ends[1]);
    };
    bench.run(with_marker(leave_behind(marker) + "sleep 1000", marker), policy_for(Engine::native),
              listener);
    ::_exit(0);
  }
  ::close(ends[1]);
  pid_t launcher = -1;
  const auto got = ::read(ends[0], &launcher, sizeof(launcher));
  ::close(ends[0]);
  CHECK(got == static_cast<ssize_t>(sizeof(launcher)));
  CHECK(count_processes(marker) >= 2);
  if (launcher > 0) ::kill(launcher, SIGKILL);
  if (together_with_agent) ::kill(agent, SIGKILL);
  CHECK(eventually([&] { return count_processes(marker) == 0; }));
  ::kill(agent, SIGKILL);
  CHECK(::waitpid(agent, nullptr, 0) == agent);
}

TEST_CASE("where signals cannot be kept, or another engine runs it, a run sees its own processes") {
  const Engine engine = GENERATE(Engine::native, Engine::bwrap);
  ProcessBench bench(KeptSignals::by_scope, engine);
  if (engine == Engine::native) bench.facts.keeps_signals = false;
  const std::string marker = unique_marker();
  const OtherProcess bystander(marker);
  const Ran ran = bench.run(script("[ -e /proc/" + bystander.pid() + " ] && cat /proc/" +
                                   bystander.pid() + "/cmdline; ps -e -o pid= | wc -l | tr -d ' '"),
                            policy_for(engine));
  CHECK(std::stoi(ran.standard_output) < 8);
  CHECK_FALSE(shows_processes(ran));
  CHECK(
      holds(all_notes(ran), engine == Engine::native ? "Landlock signal scope" : "native engine"));
  CHECK(holds(ran.result.sandbox.hints.empty() ? "" : ran.result.sandbox.hints.front(),
              "processes of host_view"));
}

TEST_CASE("with users of its own a run's script reaches neither its init nor anything else",
          "[processes]") {
  ProcessBench bench(KeptSignals::by_users);
  if (!bench.is_possible()) return;
  const OtherProcess bystander(unique_marker());
  const std::string text =
      "sed -n 's/^Uid:[^0-9]*//p' /proc/$PPID/status /proc/$$/status | tr '\\t' ' '; "
      "{ for signal in 0 STOP KILL; do kill -$signal $PPID && echo \"signalled $signal\"; done; "
      "kill -0 " +
      bystander.pid() +
      " && echo bystander; for file in environ fd/0 cwd/ root/ mem; do "
      "cat /proc/$PPID/$file && echo \"read $file\"; done; "
      "renice 19 -p $PPID && echo reniced; prlimit -p $PPID --nofile=1 && echo limited; "
      "} 2>/dev/null; sleep 1000 & kill -0 $! && echo own; kill -KILL -1; wait; echo here";
  const auto is_prepared = GENERATE(false, true);
  if (is_prepared) bench.keep_prepared(1);
  for (int i = 0; i < 3; ++i) {
    const Ran ran = bench.run(script(text), policy_for(Engine::native));
    INFO(all_notes(ran));
    std::istringstream said(ran.standard_output);
    std::array<std::uint32_t, 4> init{}, own{};
    for (auto* const ids : {&init, &own}) {
      for (auto& id : *ids) said >> id;
    }
    CHECK(own_ids.contains(own[0]));
    CHECK(own == std::array{own[0], own[0], own[0], own[0]});
    CHECK(own_ids.contains(init[0]));
    CHECK(init == std::array{init[0], own[0], init[0], own[0]});
    CHECK(init[0] != own[0]);
    CHECK(std::string(std::istreambuf_iterator<char>(said), {}) == "\nown\nhere\n");
    CHECK(ran.result.exit_code == 0);
    CHECK(shows_processes(ran));
    if (is_prepared) REQUIRE(bench.wait_until_prepared(1));
  }
  CHECK(::kill(std::stoi(bystander.pid()), 0) == 0);
}

TEST_CASE("no two satellites of one host give a run the same user", "[processes]") {
  ProcessBench first(KeptSignals::by_users), second(KeptSignals::by_users);
  if (!first.is_possible()) return;
  std::string ids_of_second;
  Listener listener;
  listener.on_output = [&](const std::string&) {
    ids_of_second = second
                        .run(script("echo $(sed -n 's/^Uid://p' /proc/$PPID/status)"),
                             policy_for(Engine::native))
                        .standard_output;
    first.put_in_scratch("seen");
  };
  const Ran ran = first.run(script("echo $(sed -n 's/^Uid://p' /proc/$PPID/status); "
                                   "until [ -e seen ]; do sleep 0.01; done"),
                            policy_for(Engine::native), listener);
  const auto ids_in = [](const std::string& text) {
    std::istringstream words(text);
    return std::set<std::uint32_t>(std::istream_iterator<std::uint32_t>(words), {});
  };
  const auto ids = ids_in(ran.standard_output), others = ids_in(ids_of_second);
  CHECK(ids.size() == 2);
  CHECK(others.size() == 2);
  for (const auto id : ids) CHECK_FALSE(others.contains(id));
}

TEST_CASE("ports of the host's loopback outlive whatever a script does to its own user",
          "[processes]") {
  ProcessBench bench(KeptSignals::by_users);
  if (!bench.is_possible()) return;
  const LoopbackPort port(8);
  bench.settings.host_view.loopback = {port.number()};
  const std::string connects =
      "bash -c '>/dev/tcp/127.0.0.1/" + std::to_string(port.number()) + "'";
  const Ran ran =
      bench.run(script(connects + " && echo open; kill -STOP -1; kill -KILL -1; " + connects +
                       " && echo still open; setsid sleep 1000 >/dev/null 2>&1 &"),
                policy_for(Engine::native));
  INFO(all_notes(ran));
  CHECK(told_by(ran) == "open\nstill open\n");
  CHECK(ran.result.exit_code == 0);
  CHECK_FALSE(ran.result.error);
}

TEST_CASE("a run whose signals turn out not to be kept does not start") {
  if (!faults_can_be_injected()) return;
  NativeOrders bench;
  if (!require_layer("signal_scope", bench.facts.keeps_signals, "needs Landlock ABI 6")) return;
  bench.settings.host_view.processes = true;
  LaunchOrder order = bench.order();
  REQUIRE(order.native->shows_processes);
  CHECK(bench.perform(order).output == "ran\n");
  order = bench.order();
  order.fault = {SetupStep::landlock, -2, EIO};
  const auto end = bench.perform(order);
  CHECK(end.output.empty());
  CHECK(std::holds_alternative<RunSetupFailed>(end.record.event));
  CHECK(eventually([&] { return count_children(bench.launcher->pid()) == 0; }));
  // And an order that leaves its measure out is none.
  order = bench.order();
  order.expectation.shows_processes = false;
  const auto unmeasured = bench.perform(order);
  CHECK(unmeasured.output.empty());
}

TEST_CASE("no command line holds a script's text while any run may see processes") {
  ProcessBench bench;
  if (!bench.is_possible()) return;
  const std::string marker = unique_marker();
  RunRequest request = script("text=" + marker +
                              "; tr '\\0' ' ' </proc/$$/cmdline; echo; "
                              "echo $0 $1");
  request.arguments = {"zero", "one"};
  request.kind = GENERATE(RunKind::health_check, RunKind::automation);
  const Ran ran = bench.run(std::move(request), policy_for(Engine::native));
  CHECK_FALSE(holds(ran.standard_output, marker));
  CHECK(holds(ran.standard_output, "\nzero one\n"));
}

TEST_CASE("a module sees the host's processes, from a runtime that stood ready, too") {
  ModuleBench bench(each_module_runtime());
  if (!require_layer("signal_scope", bench.facts.keeps_signals, "needs Landlock ABI 6")) return;
  bench.settings.host_view.processes = true;
  bench.policy.resources.max_processes = 4'096;  // shared with neighbours
  bench.keep_standing(1);
  const OtherProcess other(unique_marker());
  const std::string text =
      "const fs = require('node:fs'); let opened = false;"
      "try { fs.readFileSync('/proc/" +
      other.pid() +
      "/environ'); opened = true; } catch {}"
      "return { own: fs.readlinkSync('/proc/self') === String(process.pid), opened,"
      "         seen: fs.readFileSync('/proc/" +
      other.pid() + "/comm', 'utf8') };";
  for (const bool is_standing : {false, true}) {
    if (is_standing) {
      const bool stands = bench.wait_until_standing(1);
      INFO(bench.dropped());
      REQUIRE(stands);
    }
    const Ran ran = bench.run_module(text);
    CHECK(result_of(ran) ==
          nlohmann::json({{"own", true}, {"opened", false}, {"seen", "sleep\n"}}));
    CHECK(ran.result.was_prepared == is_standing);
    CHECK(shows_processes(ran));
  }
}
