#include "tests/support/script_bench.hpp"
#include "tests/support/temp_dir.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <filesystem>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

Engine each_outer_engine() {
  return GENERATE(from_range(with_nsjail({Engine::none, Engine::bwrap})));
}

/// An agent in a process of its own that runs one endless script: its pid and its scratch area.
struct ForeignAgent {
  pid_t pid = -1;
  pid_t launcher = -1;
  std::string scratch_area;
};

ForeignAgent start_foreign_agent(Engine engine, const std::string& marker) {
  int ends[2] = {-1, -1};
  REQUIRE(::pipe(ends) == 0);
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::close(ends[0]);
    ScriptBench bench(engine);
    Listener listener;
    listener.on_output = [&](const std::string&) {
      const std::string text =
          std::to_string(bench.launcher->pid()) + " " + bench.launcher->scratch_area() + "\n";
      if (::write(ends[1], text.data(), text.size()) < 0) ::_exit(1);
      ::close(ends[1]);
    };
    bench.run(script("touch something; echo up; sleep " + marker + "; true"), policy_for(engine),
              listener);
    ::_exit(0);
  }
  ::close(ends[1]);
  char text[256] = {};
  REQUIRE(::read(ends[0], text, sizeof(text) - 1) > 0);
  ::close(ends[0]);
  ForeignAgent agent;
  agent.pid = pid;
  char area[200] = {};
  REQUIRE(std::sscanf(text, "%d %199s", &agent.launcher, area) == 2);
  agent.scratch_area = area;
  return agent;
}

}  // namespace

TEST_CASE("when the agent is killed, its runs die and their scratch directories go") {
  const Engine engine = each_outer_engine();
  const std::string marker = unique_marker();
  const ForeignAgent agent = start_foreign_agent(engine, marker);
  REQUIRE(count_processes(marker) > 0);
  REQUIRE(std::filesystem::exists(agent.scratch_area));
  REQUIRE(::kill(agent.pid, SIGKILL) == 0);
  REQUIRE(::waitpid(agent.pid, nullptr, 0) == agent.pid);
  CHECK(eventually([&] { return count_processes(marker) == 0; }));
  CHECK(eventually([&] { return !std::filesystem::exists(agent.scratch_area); }));
}

TEST_CASE("when agent and launcher are killed together, runs die and the next start cleans up") {
  const Engine engine = each_outer_engine();
  const std::string marker = unique_marker();
  const ForeignAgent agent = start_foreign_agent(engine, marker);
  REQUIRE(count_processes(marker) > 0);
  REQUIRE(::kill(agent.launcher, SIGKILL) == 0);
  ::kill(agent.pid, SIGKILL);
  REQUIRE(::waitpid(agent.pid, nullptr, 0) == agent.pid);
  CHECK(eventually([&] { return count_processes(marker) == 0; }));
  // A start removes what is stale, and only that: our own area stays.
  const ScriptBench bench;
  CHECK(eventually([&] {
    const ScriptBench another;
    return !std::filesystem::exists(agent.scratch_area);
  }));
  CHECK(std::filesystem::exists(bench.launcher->scratch_area()));
}

TEST_CASE("when the launcher is killed, runs end interrupted and the agent is told") {
  const Engine engine = each_outer_engine();
  ScriptBench bench(engine);
  const std::string marker = unique_marker();
  Listener listener;
  listener.on_output = [&](const std::string&) { ::kill(bench.launcher->pid(), SIGKILL); };
  const Ran ran =
      bench.run(script("echo up; sleep " + marker + "; true"), policy_for(engine), listener);
  CHECK(ran.result.outcome == Outcome::interrupted);
  CHECK(ran.result.exit_code == -1);
  CHECK(ran.standard_output == "up\n");
  CHECK(bench.launcher_gone);
  CHECK(eventually([&] { return count_processes(marker) == 0; }));
  const Ran later = bench.run(script("echo again"), policy_for(engine));
  CHECK(later.result.outcome == Outcome::setup_failed);
}

TEST_CASE("a script cannot end its own supervision") {
  ScriptBench bench(Engine::none);
  const std::string marker = unique_marker();
  const std::string text = "sleep " + marker + " & kill -9 $PPID && echo killed; exit 3";
  const Ran ran = bench.run(script(text), policy_for(Engine::none));
  if (is_root()) {
    CHECK(ran.result.outcome == Outcome::exited);  // init belongs to root, the script does not
    CHECK(ran.result.exit_code == 3);
  } else {
    // The same user may kill it; then the launcher cleans up and the result says so.
    CHECK(ran.result.outcome == Outcome::interrupted);
  }
  CHECK(count_processes(marker) == 0);
}

TEST_CASE("several runs go side by side and none takes another's end or output") {
  const Engine engine = each_outer_engine();
  ScriptBench bench(engine);
  std::vector<RunRequest> requests;
  for (int i = 0; i < 12; ++i) {
    const std::string number = std::to_string(i);
    requests.push_back(
        script("echo " + number + "; sleep 0.3; cat > kept; cat kept; exit " + number));
    requests.back().has_standard_input = true;
    requests.back().standard_input = "input " + number;
  }
  const auto all = bench.run_together(std::move(requests), policy_for(engine));
  for (int i = 0; i < 12; ++i) {
    const Ran& ran = all[static_cast<std::size_t>(i)];
    CHECK(ran.result.exit_code == i);
    CHECK(ran.standard_output == std::to_string(i) + "\ninput " + std::to_string(i));
  }
  CHECK(std::filesystem::is_empty(bench.launcher->scratch_area()));
}

TEST_CASE("a scratch directory goes with its run, however the script arranged it") {
  const Engine engine = each_outer_engine();
  ScriptBench bench(engine);
  const TempDir outside;
  const std::string precious = outside.write("precious", "text");
  const Ran ran = bench.run(
      script("mkdir -p $(head -c 1100 /dev/zero | tr '\\0' d | sed 's,d,d/,g') || exit 9; "
             "ln -s " +
             outside.path().string() +
             " link; ln -s / root; mkdir -p a/b/c; touch a/b/c/f; "
             "chmod 000 a/b; chmod 555 a; mkfifo pipe; touch '.hidden' 'with\nnewline'; echo made"),
      policy_for(engine));
  CHECK(ran.standard_output == "made\n");
  CHECK(std::filesystem::exists(precious));
  INFO(sandbox::name_of(engine));
  CHECK(eventually([&] { return std::filesystem::is_empty(bench.launcher->scratch_area()); }));
}

TEST_CASE("a large scratch directory does not hold up the result, and goes as well") {
  ScriptBench bench;
  const Ran ran =
      bench.run(script("mkdir many && cd many && seq 1 3000 | xargs touch && echo made"),
                policy_for(Engine::bwrap));
  CHECK(ran.standard_output == "made\n");
  CHECK(eventually([&] { return std::filesystem::is_empty(bench.launcher->scratch_area()); }));
}

TEST_CASE("a launcher that is let go removes its scratch area") {
  std::string area;
  {
    const ScriptBench bench;
    area = bench.launcher->scratch_area();
    REQUIRE(std::filesystem::exists(area));
  }
  CHECK_FALSE(std::filesystem::exists(area));
}
