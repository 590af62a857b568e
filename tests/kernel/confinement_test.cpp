#include "tests/support/loopback_port.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"

#include <grp.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <sstream>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

const LayerReport& layer_of(const std::optional<EffectiveSandbox>& report, Layer layer) {
  REQUIRE(report.has_value());
  return report->layers.at(static_cast<std::size_t>(layer));
}

long status_number(const std::string& status, const std::string& name) {
  const auto at = status.find(name);
  return at == std::string::npos ? -1 : std::stol(status.substr(at + name.size()));
}

/// User and system time of a process so far, in clock ticks: fields 14 and 15 of /proc/PID/stat.
long cpu_ticks(pid_t pid) {
  const std::string stat = read_proc(pid, "stat");
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  long user = 0, system = 0;
  fields >> user >> system;
  return user + system;
}

/// While the script waits for its cancellation, looks at its process from outside.
template <typename Look>
Ran look_and_cancel(ScriptBench& bench, Engine engine, RunRequest request, Look look) {
  Listener listener;
  listener.on_output = [&](const std::string&) {
    look();
    bench.cancel->cancel();
  };
  return bench.run(std::move(request), policy_for(engine), listener);
}

}  // namespace

TEST_CASE("on the host the script is the dropped user and holds no capability") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const std::string marker = unique_marker();
  std::vector<std::string> seen;
  const Ran ran =
      look_and_cancel(bench, engine, script("echo up; sleep " + marker + "; true"), [&] {
        for (const pid_t pid : processes_with(marker)) seen.push_back(read_proc(pid, "status"));
      });
  REQUIRE_FALSE(seen.empty());
  const std::string uid = std::to_string(is_root() ? script_identity.uid : ::geteuid());
  const std::string four = "\t" + uid + "\t" + uid + "\t" + uid + "\t" + uid + "\n";
  for (const auto& status : seen) {
    CHECK(status.find("Uid:" + four) != std::string::npos);
    CHECK(status.find("Gid:" + four) != std::string::npos);
    CHECK(status.find("CapEff:\t0000000000000000\n") != std::string::npos);
    CHECK(status.find("CapPrm:\t0000000000000000\n") != std::string::npos);
    CHECK(status.find("NoNewPrivs:\t1\n") != std::string::npos);
  }
  const LayerReport& privilege = layer_of(ran.report, Layer::privilege);
  CHECK(privilege.state == LayerState::enforced);
  CHECK(privilege.evidence.find("Uid " + uid + " " + uid) != std::string::npos);
}

TEST_CASE("init sleeps while the script does") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const std::string marker = unique_marker();
  std::vector<long> ticks;
  Listener listener;
  listener.on_output = [&](const std::string& text) {
    if (text != "up\nstill up\n") return;
    for (const pid_t pid : processes_with(marker)) {
      const auto init = static_cast<pid_t>(status_number(read_proc(pid, "status"), "PPid:"));
      if (read_proc(init, "comm") == "csat-init\n") ticks.push_back(cpu_ticks(init));
    }
    bench.cancel->cancel();
  };
  bench.run(script("echo up; sleep 2; echo still up; sleep " + marker + "; true"),
            policy_for(engine), listener);
  REQUIRE_FALSE(ticks.empty());
  for (const long used : ticks)
    CHECK(used <= 12);  // its set-up with them, of about two hundred that went by
}

TEST_CASE("supplementary groups of the agent do not reach the script") {
  if (!require_layer("root", is_root(), "only root has groups to shed")) return;
  const gid_t groups[] = {4, 24, 999};
  REQUIRE(::setgroups(3, groups) == 0);
  const Engine engine = each_engine();
  ScriptBench bench(engine, ScriptBench::Egress::untried, std::nullopt, std::nullopt,
                    RootScripts::allowed);
  const Ran dropped = bench.run(script("id -G"), policy_for(engine));
  CHECK(dropped.standard_output == std::to_string(script_identity.gid) + "\n");
  // Positive control: without the drop they are there.
  Policy off = shipped_default_policy();
  off.enabled = false;
  const Ran kept = bench.run(script("id -G"), off);
  CHECK(kept.standard_output.find("999") != std::string::npos);
}

TEST_CASE("a run that keeps the agent's identity is confined all the same") {
  ScriptBench bench(Engine::native, ScriptBench::Egress::untried, std::nullopt, std::nullopt,
                    RootScripts::allowed);
  Policy policy = policy_for(Engine::native);
  policy.privilege.mode = PrivilegeMode::inherit;
  policy.on_unavailable = OnUnavailable::degrade;
  const Ran ran = bench.run(
      script("touch /usr/no; touch /etc/no; test $(ls -d /proc/[0-9]* | wc -l) -le 5 && echo few"),
      policy);
  INFO(ran.result.error.value_or("no error"));
  CHECK(ran.result.outcome == Outcome::exited);
  CHECK(ran.standard_output == "few\n");
  CHECK(layer_of(ran.report, Layer::filesystem).state == LayerState::enforced);
  CHECK(layer_of(ran.report, Layer::network).state == LayerState::enforced);
}

TEST_CASE("a script reads the system but not its secrets") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const Ran ran =
      bench.run(script("test -r /etc/passwd && echo passwd; cat /etc/shadow && echo shadow"),
                policy_for(engine));
  CHECK(ran.standard_output == "passwd\n");
}

TEST_CASE("a confined script writes to its scratch directory and /tmp and nowhere else") {
  ScriptBench bench;
  const Ran ran = bench.run(
      script("touch ok && echo scratch; touch /tmp/ok && echo tmp; "
             "for d in /usr /etc /bin /usr/local/bin /etc/cron.d; do touch $d/no && echo $d; done"),
      policy_for(Engine::native));
  CHECK(ran.standard_output == "scratch\ntmp\n");
  const LayerReport& files = layer_of(ran.report, Layer::filesystem);
  CHECK(files.state == LayerState::enforced);
  CHECK(files.evidence.find("writable host mounts none") != std::string::npos);
}

TEST_CASE("a confined script sees nothing of the agent, of init or of other processes") {
  ScriptBench bench;
  const Ran ran = bench.run(script("ls /root /home /var 2>/dev/null; ls /proc/1/fd; "
                                   "cat /proc/1/environ; kill -9 1; kill -STOP 1; "
                                   "test $(ls -d /proc/[0-9]* | wc -l) -le 5 && echo few"),
                            policy_for(Engine::native));
  CHECK(ran.result.outcome == Outcome::exited);
  CHECK(ran.standard_output == "few\n");  // init, the shell and what lists
  CHECK(ran.standard_error.find("/proc/1/fd") != std::string::npos);
}

TEST_CASE("a script without network cannot reach the host's loopback") {
  ScriptBench bench;
  const LoopbackPort listener;  // who connects is only counted by the kernel
  const std::string text = "bash -c 'echo > /dev/tcp/127.0.0.1/" +
                           std::to_string(listener.number()) + "' && echo connected";
  const Ran denied = bench.run(script(text), policy_for(Engine::native));
  CHECK(denied.standard_output.empty());
  CHECK(denied.standard_error.find("refused") != std::string::npos);
  CHECK(layer_of(denied.report, Layer::network).state == LayerState::enforced);
  CHECK(layer_of(denied.report, Layer::network).evidence.find("interfaces: lo") !=
        std::string::npos);
  // Positive control: the same script, the same wrapper, the host's network.
  Policy open = policy_for(Engine::native);
  open.network.mode = NetworkMode::unrestricted;
  open.network.deny_link_local_and_metadata = false;
  CHECK(bench.run(script(text), open).standard_output == "connected\n");
}

TEST_CASE("environment and script never show in the wrapper's environment or command line") {
  ScriptBench bench(Engine::bwrap);
  const std::string marker = unique_marker();
  RunRequest request = script("echo up; sleep " + marker + "; true");
  request.secret_environment.emplace("TOKEN", Secret("hunter2-" + marker));
  request.environment = {{"LD_DEBUG_OUTPUT", "/tmp/escape-" + marker}, {"VISIBLE", marker}};
  int wrappers = 0;
  std::string wrapper_view, script_view;
  const Ran ran = look_and_cancel(bench, Engine::bwrap, std::move(request), [&] {
    for (const pid_t pid : processes_with(bench.launcher->scratch_area())) {
      ++wrappers;
      wrapper_view += read_proc(pid, "environ") + read_proc(pid, "cmdline");
    }
    for (const pid_t pid : processes_with(marker)) script_view += read_proc(pid, "environ");
  });
  CHECK(ran.result.outcome == Outcome::cancelled);
  CHECK(wrappers > 0);
  CHECK(wrapper_view.find(marker) == std::string::npos);
  // Positive control: the script itself has it.
  CHECK(script_view.find("TOKEN=hunter2-" + marker) != std::string::npos);
  CHECK_FALSE(std::filesystem::exists("/tmp/escape-" + marker));
}

TEST_CASE("resource limits are the policy's, measured on the script") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  Policy policy = policy_for(engine);
  policy.resources.max_open_files = 77;
  policy.resources.cpu_seconds = 33;
  policy.resources.max_file_size_bytes = 1'048'576;
  const Ran ran = bench.run(script("ulimit -n; ulimit -t; ulimit -f; ulimit -c; "
                                   "head -c 3000000 /dev/zero > big; wc -c < big"),
                            policy);
  CHECK(ran.standard_output == "77\n33\n2048\n0\n1048576\n");
  const LayerReport& resources = layer_of(ran.report, Layer::resources);
  CHECK(resources.state == LayerState::enforced);
  CHECK(resources.evidence.find("cpu 33, nofile 77") != std::string::npos);
}

TEST_CASE("a script that burns its CPU time dies of the signal for it") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  Policy policy = policy_for(engine);
  policy.resources.cpu_seconds = 2;
  const Ran ran = bench.run(script("while :; do :; done"), policy);
  CHECK(ran.result.outcome == Outcome::signaled);
  CHECK((ran.result.signal == 24 || ran.result.signal == 9));
  CHECK(ran.result.usage.cpu_user + ran.result.usage.cpu_system >= std::chrono::milliseconds(500));
}
