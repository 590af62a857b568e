#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"

#include <signal.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t mebibyte = 1U << 20U;

const CapabilityFinding& finding_of(const ScriptBench& bench) {
  const auto found =
      std::find_if(bench.facts.findings.begin(), bench.facts.findings.end(),
                   [](const CapabilityFinding& finding) { return finding.name == "cgroup_v2"; });
  REQUIRE(found != bench.facts.findings.end());
  return *found;
}

bool has_groups(const ScriptBench& bench) {
  return require_layer("cgroup", bench.facts.cgroup_memory, finding_of(bench).detail);
}

Policy limited_to(Engine engine, std::uint64_t memory, std::uint64_t processes) {
  Policy policy = policy_for(engine);
  policy.resources.memory_bytes = memory;
  policy.resources.max_processes = processes;
  return policy;
}

std::string unified_line(pid_t pid) {
  const std::string text = read_proc(pid, "cgroup");
  const auto at = text.find("0::");
  return at == std::string::npos ? "" : text.substr(at + 3, text.find('\n', at) - at - 3);
}

const std::string& resources_evidence(const Ran& ran) {
  REQUIRE(ran.report.has_value());
  return ran.report->layers.at(0).evidence;
}

/// The directory of the group that holds the runs of this launcher, while a run lives in it.
fs::path area_of(pid_t script) {
  return fs::path("/sys/fs/cgroup" + unified_line(script)).parent_path();
}

std::vector<std::string> groups_in(const fs::path& area) {
  std::vector<std::string> names;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(area, gone)) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  return names;
}

/// Looks at a script from outside while it waits to be cancelled.
template <typename Look>
Ran look_at_running(ScriptBench& bench, const Policy& policy, const std::string& marker,
                    Look look) {
  Listener listener;
  listener.on_output = [&](const std::string&) {
    pid_t sleeper = -1;
    CHECK(eventually([&] {
      for (const pid_t pid : processes_with(marker)) {
        if (read_proc(pid, "comm") == "sleep\n") sleeper = pid;
      }
      return sleeper > 0;
    }));
    if (sleeper > 0) look(sleeper);
    bench.cancel->cancel();
  };
  return bench.run(script("echo up; sleep " + marker + "; true"), policy, listener);
}

// Holds in memory what it reads: there is no line to print before the end of input.
std::string eat(std::uint64_t mebibytes) {
  return "head -c " + std::to_string(mebibytes) + "M /dev/zero | tail | wc -c";
}

}  // namespace

TEST_CASE("a run starts in a control group of its own, with limits read back", "[cgroup]") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  if (!has_groups(bench)) return;
  const std::string marker = unique_marker();
  std::vector<std::string> groups;
  const Ran ran = look_at_running(bench, limited_to(engine, 96 * mebibyte, 64), marker,
                                  [&](pid_t pid) { groups.push_back(unified_line(pid)); });
  REQUIRE(groups.size() == 1);
  CHECK(groups.front().find("/csat-") != std::string::npos);
  CHECK(groups.front() != unified_line(bench.launcher->pid()));
  const std::string& evidence = resources_evidence(ran);
  INFO(evidence);
  CHECK(evidence.find("memory.max 100663296") != std::string::npos);
  CHECK(evidence.find("pids.max 66") != std::string::npos);
  CHECK(ran.report->layers.at(0).mechanism.find("control group: memory, pids") !=
        std::string::npos);
  for (const auto& note : ran.report->notes) {
    CHECK(note.note.find("memoryBytes does not limit") == std::string::npos);
  }
}

TEST_CASE("a memory bomb ends as memory_limit with its value named, and other runs go on",
          "[cgroup]") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  if (!has_groups(bench)) return;
  std::vector<RunRequest> requests;
  requests.push_back(script(eat(96)));
  requests.push_back(script("for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.1; done"));
  const auto all = bench.run_together(std::move(requests), limited_to(engine, 48 * mebibyte, 64));
  CHECK(all[0].result.outcome == Outcome::memory_limit);
  REQUIRE(all[0].result.error.has_value());
  CHECK(all[0].result.error->find("50331648") != std::string::npos);
  CHECK(all[0].result.usage.cpu_user + all[0].result.usage.cpu_system >
        std::chrono::microseconds(0));
  CHECK(all[1].result.outcome == Outcome::exited);
  CHECK(all[1].standard_output == "1\n2\n3\n4\n5\n6\n7\n8\n");
  // Positive control: with room enough the same script ends well.
  const Ran roomy = bench.run(script(eat(96)), limited_to(engine, 256 * mebibyte, 64));
  CHECK(roomy.result.outcome == Outcome::exited);
  CHECK(roomy.standard_output == std::to_string(96 * mebibyte) + "\n");
}

TEST_CASE("a fork bomb meets pids.max, which the result names", "[cgroup]") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  if (!has_groups(bench)) return;
  const std::string marker = unique_marker();
  RunRequest bomb = script("bomb() { sleep " + marker + " & bomb; }; bomb");
  bomb.timeout = time_to_begin;
  int most = 0;
  Listener listener;
  const std::string counting =
      "i=0; while [ $i -lt 40 ]; do sleep " + marker + " & i=$((i+1)); done; echo started; wait";
  const Ran ran = bench.run(std::move(bomb), limited_to(engine, 256 * mebibyte, 12), listener);
  CHECK(ran.result.outcome != Outcome::setup_failed);
  const auto& notes = ran.result.sandbox.notes;
  const bool named = std::any_of(notes.begin(), notes.end(), [](const Note& note) {
    return note.note.find("pids.max 14") != std::string::npos;
  });
  const bool by_user = resources_evidence(ran).find("nproc 12") != std::string::npos;
  CHECK((named || by_user));
  CHECK(eventually([&] { return count_processes(marker) == 0; }));
  // Positive control: with a larger limit all forty live at once.
  listener.on_output = [&](const std::string&) {
    static_cast<void>(eventually([&] {
      most = std::max(most, count_processes(marker));
      return most >= 40;
    }));
    bench.cancel->cancel();
  };
  const Ran free = bench.run(script(counting), limited_to(engine, 256 * mebibyte, 200), listener);
  CHECK(free.standard_output == "started\n");
  CHECK(most >= 40);
}

TEST_CASE("a run may use no more of a processor than the operator gave it", "[cgroup]") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  if (!has_groups(bench)) return;
  if (!require_layer("cgroup", bench.facts.cgroup_cpu, "no cpu controller")) return;
  const auto share_used = [&](std::optional<std::uint64_t> percent) {
    bench.settings.cpu_percent = percent;
    RunRequest burner = script("while :; do :; done");
    burner.timeout = std::chrono::milliseconds(1'500);
    const Ran ran = bench.run(std::move(burner), limited_to(engine, 64 * mebibyte, 64));
    CHECK(ran.result.outcome == Outcome::timed_out);
    const auto used = ran.result.usage.cpu_user + ran.result.usage.cpu_system;
    return static_cast<double>(used.count()) /
           static_cast<double>(std::chrono::microseconds(ran.result.duration).count());
  };
  CHECK(share_used(20) < 0.35);
  CHECK(share_used(std::nullopt) > 0.4);  // positive control
}

TEST_CASE("no group outlives its run, and none its launcher", "[cgroup]") {
  const Engine engine = each_engine();
  fs::path area;
  {
    ScriptBench bench(engine);
    if (!has_groups(bench)) return;
    const std::string marker = unique_marker();
    std::size_t while_running = 0;
    const Ran ran =
        look_at_running(bench, limited_to(engine, 64 * mebibyte, 64), marker, [&](pid_t pid) {
          area = area_of(pid);
          // That of the trial may be on its way out.
          static_cast<void>(
              eventually([&] { return (while_running = groups_in(area).size()) == 1; }));
        });
    CHECK(ran.result.outcome == Outcome::cancelled);
    CHECK(while_running == 1);
    CHECK(eventually([&] { return groups_in(area).empty(); }));
    CHECK(fs::exists(area));
  }
  CHECK_FALSE(fs::exists(area));
}

TEST_CASE("what a killed launcher left is removed by the next one", "[cgroup]") {
  fs::path area;
  {
    ScriptBench bench(Engine::none);
    if (!has_groups(bench)) return;
    const std::string marker = unique_marker();
    const Ran ran =
        look_at_running(bench, limited_to(Engine::none, 64 * mebibyte, 64), marker, [&](pid_t pid) {
          area = area_of(pid);
          ::kill(bench.launcher->pid(), SIGKILL);
        });
    // The cancel may be seen before the launcher's end is.
    CHECK((ran.result.outcome == Outcome::interrupted || ran.result.outcome == Outcome::cancelled));
    CHECK(eventually([&] { return count_processes(marker) == 0; }));
    CHECK(fs::exists(area));  // nobody was left who could remove it
  }
  const ScriptBench next(Engine::none);
  CHECK_FALSE(fs::exists(area));
}

TEST_CASE("a limit too small to set a run up is named, and nothing runs", "[cgroup]") {
  ScriptBench bench(Engine::none);
  if (!has_groups(bench)) return;
  const Ran ran = bench.run(script("echo ran"), limited_to(Engine::none, 4096, 64));
  CHECK(ran.result.outcome == Outcome::setup_failed);
  CHECK(ran.standard_output.empty());
  INFO(ran.result.error.value_or(""));
  CHECK(ran.result.error.value_or("").find("4096 bytes is too small") != std::string::npos);
}

TEST_CASE("without control groups the finding says why, and the run says what does not hold",
          "[cgroup]") {
  ScriptBench bench(Engine::none);
  const CapabilityFinding& finding = finding_of(bench);
  if (!require_layer("missing-cgroup", !finding.present, "this host has control groups")) return;
  CHECK_FALSE(finding.detail.empty());
  CHECK_FALSE(finding.remedy.empty());
  const Ran ran = bench.run(script("echo ran"), limited_to(Engine::none, 64 * mebibyte, 64));
  CHECK(ran.standard_output == "ran\n");
  CHECK(resources_evidence(ran).find("memory.max") == std::string::npos);
  const bool honest =
      std::any_of(ran.report->notes.begin(), ran.report->notes.end(), [](const Note& note) {
        return note.note.find("memoryBytes does not limit this run") != std::string::npos;
      });
  CHECK(honest);
}
