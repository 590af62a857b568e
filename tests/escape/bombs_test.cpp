// G of the list: using up the host. Each bomb goes off beside a calm run, which must not notice.
#include "tests/escape/escape_bench.hpp"

#include <sys/resource.h>
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <optional>
#include <utility>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

/// Long beyond what any of these needs, and short beside a hang.
constexpr auto bound = 60s;

/// Without a control group, the runs of a dropped user share one count of processes; then a bomb
/// may keep a neighbour from forking, and the report has to say so.
bool admits_shared_count(const RunResult& result) {
  const auto& notes = result.sandbox.notes;
  return std::any_of(notes.begin(), notes.end(), [](const Note& note) {
    return note.note.find("maxProcesses counts all runs") != std::string::npos;
  });
}

struct Exploded {
  Ran bomb, calm;
  Answer answer;
};

Exploded explode(EscapeBench& bench, RunRequest bomb, const Policy& policy) {
  std::vector<RunRequest> requests;
  requests.push_back(std::move(bomb));
  requests.push_back(script("echo calm; sleep 0.2; exit 7"));
  auto all = bench.run_together(std::move(requests), policy);
  if (!admits_shared_count(all[0].result)) CHECK(all[1].result.exit_code == 7);
  CHECK(all[1].standard_output == "calm\n");
  CHECK(all[1].result.duration < bound);
  CHECK(all[0].result.duration < bound);
  CHECK(all[0].result.outcome != Outcome::setup_failed);
  INFO("nothing is left behind");
  CHECK(count_processes(probe_nonce()) == 0);
  CHECK(eventually([&] { return std::filesystem::is_empty(bench.launcher->scratch_area()); }));
  Answer answer = answer_in(all[0].standard_output);
  return {std::move(all[0]), std::move(all[1]), std::move(answer)};
}

Exploded explode(EscapeBench& bench, const std::string& words, const Policy& policy) {
  RunRequest request = bench.request(words);
  request.timeout = 30s;
  return explode(bench, std::move(request), policy);
}

long first_number(const std::string& text) {
  return text.empty() ? -1 : std::stol(text);
}

const LayerReport& resources_of(const Ran& ran) {
  return ran.result.sandbox.layers.at(static_cast<std::size_t>(Layer::resources));
}

}  // namespace

TEST_CASE("forks, threads and zombies end at the process limit, which the report names",
          "[bombs]") {
  EscapeBench bench(each_present_engine());
  Policy policy = policy_for(bench.engine);
  policy.resources.max_processes = 64;
  const std::string words = GENERATE("fork-many", "thread-many", "zombie-many");
  const Exploded exploded = explode(bench, words, policy);
  INFO(words << ": " << exploded.answer.detail << exploded.bomb.standard_error);
  CHECK(exploded.answer.said == "EAGAIN");
  CHECK(first_number(exploded.answer.detail) > 20);
  CHECK(first_number(exploded.answer.detail) < 64);
  CHECK(exploded.bomb.result.outcome == Outcome::exited);
  CHECK(resources_of(exploded.bomb).evidence.find("nproc 64") != std::string::npos);
}

TEST_CASE("four fork bombs at once are counted apart and leave the host alone", "[bombs]") {
  EscapeBench bench(each_present_engine());
  Policy policy = policy_for(bench.engine);
  policy.resources.max_processes = 100;
  std::vector<RunRequest> requests;
  for (int i = 0; i < 4; ++i) {
    requests.push_back(script(": " + probe_nonce() + "; b() { b | b & b; }; b; sleep 100"));
    requests.back().timeout = 800ms;
  }
  requests.push_back(script("echo calm; exit 7"));
  const auto all = bench.run_together(std::move(requests), policy);
  CHECK(all[4].standard_output == "calm\n");
  CHECK(all[4].result.exit_code == 7);
  for (std::size_t i = 0; i < 4; ++i) CHECK(all[i].result.duration < bound);
  CHECK(count_processes(probe_nonce()) == 0);
}

TEST_CASE("open files end at their limit, which the report names", "[bombs]") {
  EscapeBench bench(each_present_engine());
  Policy policy = policy_for(bench.engine);
  policy.resources.max_open_files = 200;
  const Exploded exploded = explode(bench, "open-many", policy);
  CHECK(exploded.answer.said == "EMFILE");
  CHECK(first_number(exploded.answer.detail) == 197);  // beside the three streams
  CHECK(resources_of(exploded.bomb).evidence.find("nofile 200") != std::string::npos);
}

TEST_CASE("a file ends at its limit, and a script that dies of it is told which", "[bombs]") {
  EscapeBench bench(each_present_engine());
  Policy policy = policy_for(bench.engine);
  policy.resources.max_file_size_bytes = 4 << 20;
  const Exploded exploded = explode(bench, "fill-disk . 100", policy);
  CHECK(exploded.answer.said == "EFBIG");
  CHECK(first_number(exploded.answer.detail) == 4);
  const Exploded killed =
      explode(bench, script("head -c 9000000 /dev/zero > big & wait $!; kill -XFSZ $$"), policy);
  CHECK(killed.bomb.result.outcome == Outcome::signaled);
  CHECK(killed.bomb.result.error == "the file size limit of 4194304 bytes was reached");
}

TEST_CASE("used-up CPU time ends a script, and the result names the limit", "[bombs]") {
  EscapeBench bench(each_present_engine());
  Policy policy = policy_for(bench.engine);
  policy.resources.cpu_seconds = 1;
  const Exploded exploded = explode(bench, script("while :; do :; done"), policy);
  CHECK(exploded.bomb.result.outcome == Outcome::signaled);
  const std::string why = exploded.bomb.result.error.value_or("");
  INFO(why);
  CHECK(why.find("the CPU time limit of 1 seconds") != std::string::npos);
  // Positive control: who is killed without having used any is not said to have.
  const Exploded killed = explode(bench, script("kill -9 $$"), policy);
  CHECK(killed.bomb.result.outcome == Outcome::signaled);
  CHECK_FALSE(killed.bomb.result.error.has_value());
}

TEST_CASE("floods of output end at the cap, on both streams, and the result names it", "[bombs]") {
  EscapeBench bench(each_present_engine());
  Policy policy = policy_for(bench.engine);
  policy.resources.max_output_bytes = 300'000;
  const std::string text = GENERATE("cat /dev/zero & cat /dev/zero >&2",  // no newline, ever
                                    "yes & yes >&2", "yes $(printf '\\377\\376\\200')",
                                    "while :; do head -c 30001 /dev/urandom; done");
  const Exploded exploded = explode(bench, script(": " + probe_nonce() + "; " + text), policy);
  const RunResult& result = exploded.bomb.result;
  CHECK(result.outcome == Outcome::output_limit);
  CHECK(result.output_truncated);
  CHECK(result.error == "the output limit of 300000 bytes was reached");
  CHECK(result.bytes_standard_output.value + result.bytes_standard_error.value <= 300'000);
  CHECK(result.bytes_standard_output.value + result.bytes_standard_error.value > 290'000);
}

TEST_CASE("what a script does to itself does not outlast its time", "[bombs]") {
  EscapeBench bench(each_present_engine());
  const Policy policy = policy_for(bench.engine);
  const std::string text = GENERATE(
      "kill -STOP $$", "sleep 1000 & kill -STOP 0", "trap '' TERM HUP INT; sleep 1000 & wait; wait",
      // Answers each TERM with another child of its own.
      "trap 'sleep 1000 & wait' TERM; while :; do sleep 1000 & wait; done");
  RunRequest request = script(": " + probe_nonce() + "; " + text);
  request.timeout = 400ms;
  const Exploded exploded = explode(bench, std::move(request), policy);
  CHECK(exploded.bomb.result.outcome == Outcome::timed_out);
  CHECK(exploded.bomb.result.duration < 30s);
}

TEST_CASE("streams that are closed, handed on or never read hold up nothing", "[bombs]") {
  EscapeBench bench(each_present_engine());
  const Policy policy = policy_for(bench.engine);
  SECTION("the script closes its streams and goes on") {
    const auto exploded = explode(bench, script("exec <&- >&- 2>&-; sleep 0.1; exit 4"), policy);
    CHECK(exploded.bomb.result.exit_code == 4);
  }
  SECTION("a daemon keeps the stream and writes to it") {
    const auto exploded =
        explode(bench,
                script("setsid sh -c ': " + probe_nonce() +
                       "; trap \"\" TERM HUP; while :; do echo x; done' & sleep 0.05; exit 5"),
                policy);
    CHECK((exploded.bomb.result.exit_code == 5 ||
           exploded.bomb.result.outcome == Outcome::output_limit));
  }
  SECTION("a mebibyte of input that nobody reads") {
    RunRequest request = script("exit 6");
    request.has_standard_input = true;
    request.standard_input.assign(1 << 20, 'x');
    CHECK(explode(bench, std::move(request), policy).bomb.result.exit_code == 6);
  }
  SECTION("arguments and variables beyond what the kernel takes") {
    const auto exploded = explode(
        bench, script("v=$(head -c 3000000 /dev/zero | tr '\\0' x); env \"$v\"; echo $?"), policy);
    CHECK(exploded.bomb.standard_output == "126\n");
  }
  SECTION("as much environment as a request may carry") {
    RunRequest request = script("env | wc -c");
    for (int i = 0; i < 500; ++i) {
      request.environment["NAME_" + std::to_string(i)] = std::string(1'000, 'v');
    }
    CHECK(first_number(explode(bench, std::move(request), policy).bomb.standard_output) > 500'000);
  }
}

TEST_CASE("a full scratch directory is bounded or the report says that it is not", "[bombs]") {
  EscapeBench bench(each_present_engine());
  Policy policy = policy_for(bench.engine);
  policy.filesystem.scratch_bytes = 16 << 20;
  const Exploded exploded = explode(bench, "fill-disk . 40", policy);
  INFO(exploded.answer.said << " " << exploded.answer.detail);
  const auto& notes = exploded.bomb.result.sandbox.notes;
  const bool admitted = std::any_of(notes.begin(), notes.end(), [](const Note& note) {
    return note.layer == Layer::filesystem && note.note.find("scratchBytes") != std::string::npos;
  });
  CHECK(admitted == (exploded.answer.said == "ok"));
  if (bench.engine != Engine::native) return;
  CHECK(exploded.answer.said == "ENOSPC");
  CHECK(first_number(exploded.answer.detail) <= 16);
  CHECK(exploded.bomb.result.outcome == Outcome::exited);
}

TEST_CASE("memory that takes the shape of files is bounded in bytes and in number", "[bombs]") {
  EscapeBench bench(each_present_engine());
  if (bench.engine != Engine::native) return;  // bubblewrap's file systems have the kernel's bounds
  Policy policy = policy_for(bench.engine);
  policy.resources.max_file_size_bytes.reset();
  const std::string words =
      GENERATE("fill-disk /tmp 2000", "fill-disk /dev/shm 2000", "fill-inodes /tmp 100000",
               "fill-inodes /dev/shm 100000", "fill-inodes /dev 100000", "fill-inodes . 100000");
  policy.filesystem.scratch_bytes = 16 << 20;
  const Exploded exploded = explode(bench, words, policy);
  INFO(words << ": " << exploded.answer.said << " " << exploded.answer.detail);
  CHECK((exploded.answer.said == "ENOSPC" || exploded.answer.said == "EROFS" ||
         exploded.answer.said == "EACCES"));
}

namespace {

struct Beside {
  std::string bomb_output;
  std::optional<RunResult> bomb, calm;
};

/// A bomb that says when all is full and then stays; only then another run starts.
Beside run_beside(EscapeBench& bench, const std::string& words, const Policy& policy) {
  Runner runner(bench.context, *bench.launcher, bench.facts, bench.settings);
  Listener bomb, calm;
  CancelSwitch defuse(bench.context);
  Beside beside;
  bool calm_started = false;
  const auto start_calm = [&] {
    if (std::exchange(calm_started, true)) return;
    boost::asio::co_spawn(bench.context,
                          runner.run(script("sleep 0.01; (exit 1); echo calm; exit 7"),
                                     {policy, false}, calm, *bench.cancel),
                          [&](const std::exception_ptr&, RunResult result) {
                            beside.calm = std::move(result);
                            defuse.cancel();
                          });
  };
  bomb.on_output = [&](const std::string& text) {
    if (text.find("full") != std::string::npos) start_calm();
  };
  boost::asio::co_spawn(bench.context,
                        runner.run(bench.request(words), {policy, false}, bomb, defuse),
                        [&](const std::exception_ptr&, RunResult result) {
                          beside.bomb = std::move(result);
                          bench.context.stop();
                        });
  bench.context.run();
  beside.bomb_output = bomb.standard_output + bomb.standard_error;
  return beside;
}

}  // namespace

TEST_CASE("a run at its process limit takes no process from another, or the report says so",
          "[bombs]") {
  EscapeBench bench(each_present_engine());
  Policy policy = policy_for(bench.engine);
  policy.resources.max_processes = 64;
  const Beside beside = run_beside(bench, "fork-and-stay", policy);
  INFO(beside.bomb_output << beside.bomb->error.value_or(""));
  REQUIRE(beside.calm.has_value());
  CHECK(beside.calm->error.value_or("none") == "none");
  CHECK((beside.calm->exit_code == 7) == !admits_shared_count(*beside.bomb));
}

TEST_CASE("a run at its process limit takes none from a run with another user", "[bombs]") {
  if (!is_root()) return;  // an unprivileged satellite has no users to give
  EscapeBench bench(each_present_engine(), identities_of_this_process(4));
  Policy policy = policy_for(bench.engine);
  policy.resources.max_processes = 64;
  const Beside beside = run_beside(bench, "fork-and-stay", policy);
  INFO(beside.bomb_output << beside.bomb->error.value_or(""));
  CHECK(beside.bomb_output.find("full") != std::string::npos);
  CHECK_FALSE(admits_shared_count(*beside.bomb));
  REQUIRE(beside.calm.has_value());
  CHECK(beside.calm->exit_code == 7);
}

TEST_CASE("descriptors that hang in messages keep no other run from starting", "[bombs]") {
  const Engine engine = each_present_engine();
  rlimit files{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = 1'024;  // what most services start with
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &files) == 0);
  EscapeBench bench(engine);
  const Beside beside = run_beside(bench, "send-many", policy_for(engine));
  INFO(beside.bomb_output << beside.bomb->error.value_or(""));
  CHECK(beside.bomb_output.find("ETOOMANYREFS") != std::string::npos);
  REQUIRE(beside.calm.has_value());
  CHECK(beside.calm->error.value_or("none") == "none");
  CHECK(beside.calm->exit_code == 7);
}

TEST_CASE("when the host runs out of memory, scripts go first and their supervisors last",
          "[bombs]") {
  const Engine engine =
      GENERATE(from_range(with_nsjail({Engine::none, Engine::bwrap, Engine::native})));
  ScriptBench bench(engine);
  const std::string before = read_proc(bench.launcher->pid(), "oom_score_adj");
  REQUIRE(before != "1000\n");
  const Ran ran = bench.run(script("cat /proc/self/oom_score_adj"), policy_for(engine));
  CHECK(ran.standard_output == "1000\n");
  CHECK(read_proc(bench.launcher->pid(), "oom_score_adj") == before);
}

TEST_CASE("memory is bounded or the report says that it is not", "[bombs]") {
  EscapeBench bench(each_present_engine());
  Policy policy = policy_for(bench.engine);
  policy.resources.memory_bytes = 64 << 20;
  const Exploded exploded = explode(bench, "fill-memory 200", policy);
  const EffectiveSandbox& report = exploded.bomb.result.sandbox;
  if (exploded.answer.said == "ok") {
    INFO("nothing on this host bounds the memory of a shell, so the report has to say so");
    CHECK(exploded.bomb.result.usage.resident_max.value >= std::uint64_t{200} << 20U);
    CHECK(std::any_of(report.notes.begin(), report.notes.end(), [](const Note& note) {
      return note.layer == Layer::resources && note.note.find("memory") != std::string::npos;
    }));
    CHECK(resources_of(exploded.bomb).evidence.find("memory.max") == std::string::npos);
  } else {
    CHECK(exploded.bomb.result.outcome == Outcome::memory_limit);
    CHECK(exploded.bomb.result.error.value_or("").find("67108864") != std::string::npos);
  }
}
