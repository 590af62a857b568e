#include "tests/benchmarks/launch_figures.hpp"

#include "tests/benchmarks/reference_process.hpp"
#include "tests/benchmarks/runc_bundle.hpp"
#include "tests/benchmarks/sandbox_process.hpp"
#include "tests/benchmarks/system_calls.hpp"

#include <array>
#include <stdexcept>

namespace satellite::benchmarks {
namespace {

constexpr int runs_per_round = 60;
constexpr int concurrent_runs = 160;
constexpr int runc_runs = 20;
constexpr int traced_runs = 40;

void append(Samples& to, const Samples& from) {
  to.insert(to.end(), from.begin(), from.end());
}

RunCosts mean(const std::vector<RunCosts>& all) {
  RunCosts sum;
  for (const RunCosts& one : all) {
    sum.roots_ready += one.roots_ready / static_cast<double>(all.size());
    sum.networks_ready += one.networks_ready / static_cast<double>(all.size());
    sum.caller += one.caller / static_cast<double>(all.size());
    sum.launcher += one.launcher / static_cast<double>(all.size());
    sum.set_up += one.set_up / static_cast<double>(all.size());
    sum.script += one.script / static_cast<double>(all.size());
    sum.launcher_faults += one.launcher_faults / static_cast<double>(all.size());
    sum.faults_below += one.faults_below / static_cast<double>(all.size());
  }
  return sum;
}

struct Launches {
  Samples bare, cold, set_up, warm, roots_alone, networks_alone, nothing, runc;
  double bare_c8 = 0, cold_c8 = 0, warm_c8 = 0;
  std::vector<RunCosts> cold_costs, warm_costs;
  SystemCalls cold_calls, warm_calls;
};

void measure_calls(SandboxProcess& sandbox, Launches& seen) {
  const auto count = [&sandbox](bool prepared) {
    const pid_t launcher = sandbox.launcher();
    return count_system_calls(
        launcher, [&] { sandbox.measure({.prepared = prepared, .runs = traced_runs}); });
  };
  try {
    seen.cold_calls = count(false);
    seen.warm_calls = count(true);
  } catch (const std::runtime_error&) {
    // Nothing is told of what may not be traced.
  }
}

Launches measure_all(int rounds) {
  ReferenceProcess reference, as_root(ReferenceProcess::User::own);
  SandboxProcess sandbox, roots(Ahead::roots), networks(Ahead::networks), none(Ahead::nothing);
  const std::vector<std::string> bare_command{"sh", "-c", "echo hi"};
  const RuncBundle bundle;
  Launches seen;
  for (int round = 0; round < rounds; ++round) {
    append(seen.bare, reference.measure(bare_command, runs_per_round, 1).latencies);
    const Timing cold = sandbox.measure({.runs = runs_per_round});
    append(seen.cold, cold.latencies);
    seen.cold_costs.push_back(SandboxProcess::costs_of(cold));
    append(seen.set_up, sandbox.measure({.set_up = true, .runs = runs_per_round}).latencies);
    const Timing warm = sandbox.measure({.prepared = true, .runs = runs_per_round});
    append(seen.warm, warm.latencies);
    seen.warm_costs.push_back(SandboxProcess::costs_of(warm));
    append(seen.roots_alone, roots.measure({.runs = runs_per_round}).latencies);
    append(seen.networks_alone, networks.measure({.runs = runs_per_round}).latencies);
    append(seen.nothing, none.measure({.runs = runs_per_round}).latencies);
  }
  if (bundle.is_usable()) seen.runc = as_root.measure(bundle.command(), runc_runs, 1).latencies;
  // Afterwards, since the kernel takes its time to take the namespaces of so many runs down.
  for (int round = 0; round < rounds; ++round) {
    seen.bare_c8 += concurrent_runs / reference.measure(bare_command, concurrent_runs, 8).seconds;
    seen.cold_c8 +=
        concurrent_runs / sandbox.measure({.runs = concurrent_runs, .at_a_time = 8}).seconds;
    seen.warm_c8 +=
        concurrent_runs /
        sandbox.measure({.prepared = true, .runs = concurrent_runs, .at_a_time = 8}).seconds;
  }
  measure_calls(sandbox, seen);
  return seen;
}

}  // namespace

std::vector<Figure> measure_launches(int rounds) {
  const Launches seen = measure_all(rounds);
  const double unit = median(seen.bare);
  const auto time = [unit](const char* key, const char* what, double value, const char* mark = "") {
    return Figure{key, what, value, "us", value / unit, mark};
  };
  const auto share = [](const char* key, const char* what, double value) {
    return Figure{key, what, value, "share", std::nullopt, ""};
  };
  std::vector<Figure> figures{
      time("launch_bare", "posix_spawn of sh -c 'echo hi'", unit),
      time("launch_cold", "every layer on and verified; root and network made ahead",
           median(seen.cold), "<= 2.4x"),
      time("launch_cold_p99", "", percentile_99(seen.cold), "<= 6x"),
      time("launch_cold_set_up", "of which until the script may start", median(seen.set_up)),
      time("launch_no_network", "the root made ahead, the network by the run",
           median(seen.roots_alone)),
      time("launch_no_root", "the network made ahead, the root by the run",
           median(seen.networks_alone)),
      time("launch_nothing_ahead", "both made by the run", median(seen.nothing)),
      time("launch_warm", "from a run that stood ready", median(seen.warm), "<= 1.4x"),
      {"launch_bare_c8", "8 at a time", seen.bare_c8 / rounds, "runs/s", 1.0, ""},
      {"launch_cold_c8", "share of bare", seen.cold_c8 / rounds, "runs/s",
       seen.cold_c8 / seen.bare_c8, ">= 0.40"},
      {"launch_warm_c8", "share of bare", seen.warm_c8 / rounds, "runs/s",
       seen.warm_c8 / seen.bare_c8, ">= 0.65"}};
  const RunCosts cold = mean(seen.cold_costs), warm = mean(seen.warm_costs);
  figures.push_back(share("roots_ready", "of the cold runs", cold.roots_ready));
  figures.push_back(share("networks_ready", "of the cold runs", cold.networks_ready));
  figures.push_back(time("cold_cpu_caller", "on a processor, of a cold run", cold.caller));
  figures.push_back(time("cold_cpu_launcher", "", cold.launcher));
  figures.push_back(time("cold_cpu_set_up", "inits, and what is made ahead", cold.set_up));
  figures.push_back(time("cold_cpu_script", "", cold.script));
  figures.push_back(time("warm_cpu_caller", "of one that stood ready", warm.caller));
  figures.push_back(time("warm_cpu_launcher", "", warm.launcher));
  figures.push_back(time("warm_cpu_set_up", "", warm.set_up));
  figures.push_back(time("warm_cpu_script", "", warm.script));
  const auto faults = [](const char* key, const char* what, double number) {
    return Figure{key, what, number, "faults", std::nullopt, ""};
  };
  figures.push_back(
      faults("cold_faults_launcher", "of pages, of a cold run", cold.launcher_faults));
  figures.push_back(
      faults("cold_faults_below", "init, script, and what is made ahead", cold.faults_below));
  figures.push_back(
      faults("warm_faults_launcher", "of one that stood ready", warm.launcher_faults));
  figures.push_back(faults("warm_faults_below", "", warm.faults_below));
  const auto calls = [](const char* key, const char* what, double number) {
    return Figure{key, what, number / traced_runs, "calls", std::nullopt, ""};
  };
  if (seen.cold_calls.launcher > 0) {
    figures.push_back(calls("cold_calls_launcher", "of a cold run", seen.cold_calls.launcher));
    figures.push_back(calls("cold_calls_init", "and what is made ahead", seen.cold_calls.init));
    figures.push_back(calls("cold_calls_script", "before its program", seen.cold_calls.script));
    figures.push_back(calls("warm_calls_launcher", "of one ready", seen.warm_calls.launcher));
    figures.push_back(calls("warm_calls_init", "", seen.warm_calls.init));
    figures.push_back(calls("warm_calls_script", "", seen.warm_calls.script));
  }
  if (!seen.runc.empty()) {
    figures.push_back(time("runc", "run of the same command", median(seen.runc)));
    figures.push_back(time("runc_p99", "", percentile_99(seen.runc)));
  }
  return figures;
}

}  // namespace satellite::benchmarks
