#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"

#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

// A user of its own for each run, which only a root launcher can give.

namespace {

const std::uint32_t first_id = identities_of_this_process(1).first;

struct OwnIdentities : ScriptBench {
  OwnIdentities(Engine chosen, std::uint32_t count)
      : ScriptBench(chosen, Egress::untried, std::nullopt, identities_of_this_process(count)),
        engine(chosen) {}

  Policy policy() const { return policy_for(engine); }

  Engine engine;
};

bool root_is_here() {
  return require_layer("root", is_root(), "only root can give a run a user of its own");
}

/// Host pids of all processes of one user.
std::vector<pid_t> processes_of(std::uint32_t uid) {
  std::vector<pid_t> found;
  const std::string line = "\nUid:\t" + std::to_string(uid) + "\t";
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    pid_t pid = 0;
    std::from_chars(name.data(), name.data() + name.size(), pid);
    if (pid > 0 && read_proc(pid, "status").find(line) != std::string::npos) found.push_back(pid);
  }
  return found;
}

/// Two runs of one bench: the second starts after the first output of the first, which is cancelled
/// when the second has ended.
struct Pair {
  Ran first, second;
};
template <typename Request>
Pair run_second_beside_first(ScriptBench& bench, const Policy& policy, const Policy& other_policy,
                             Request&& request_second) {
  Runner runner(bench.context, *bench.launcher, bench.facts, bench.settings);
  Listener first, second;
  CancelSwitch end_first(bench.context);
  Pair pair;
  bool second_started = false;
  first.on_output = [&](const std::string& said) {
    if (std::exchange(second_started, true)) return;
    boost::asio::co_spawn(
        bench.context,
        runner.run(request_second(said), {other_policy, false}, second, *bench.cancel),
        [&](const std::exception_ptr&, RunResult result) {
          pair.second = {std::move(result), second.standard_output, second.standard_error, {}};
          end_first.cancel();
        });
  };
  boost::asio::co_spawn(
      bench.context,
      runner.run(script("echo $$; exec sleep 1000"), {policy, false}, first, end_first),
      [&](const std::exception_ptr&, RunResult result) {
        pair.first = {std::move(result), first.standard_output, first.standard_error, {}};
        bench.context.stop();
      });
  bench.context.restart();
  bench.context.run();
  return pair;
}

bool admits_shared_count(const RunResult& result) {
  const auto& notes = result.sandbox.notes;
  return std::any_of(notes.begin(), notes.end(), [](const Note& note) {
    return note.note.find("maxProcesses counts all runs") != std::string::npos;
  });
}

}  // namespace

TEST_CASE("runs that live at one time have different users and groups of the range") {
  if (!root_is_here()) return;
  OwnIdentities bench(each_engine(), 6);
  std::vector<RunRequest> requests;
  for (int i = 0; i < 6; ++i) requests.push_back(script("id -u; id -g; id -G"));
  std::set<std::string> seen;
  for (const Ran& ran : bench.run_together(std::move(requests), bench.policy())) {
    REQUIRE(ran.result.outcome == Outcome::exited);
    const std::string id = ran.standard_output.substr(0, ran.standard_output.find('\n') + 1);
    CHECK(ran.standard_output == id + id + id);
    CHECK(std::stoul(id) - first_id < 6);
    CHECK(ran.result.sandbox.enforced.privilege);
    CHECK_FALSE(admits_shared_count(ran.result));
    seen.insert(id);
  }
  CHECK(seen.size() == 6);
  CHECK(std::filesystem::is_empty(bench.launcher->scratch_area()));
}

TEST_CASE("without an engine a run signals no other, and without a range it can") {
  if (!root_is_here()) return;
  const auto signal = [](const std::string& pid) {
    return script("kill -0 " + pid.substr(0, pid.find('\n')) + " && echo sent || echo denied");
  };
  OwnIdentities apart(Engine::none, 4);
  const Pair denied = run_second_beside_first(apart, apart.policy(), apart.policy(), signal);
  CHECK(denied.second.standard_output == "denied\n");
  ScriptBench together(Engine::none);
  const Policy policy = policy_for(Engine::none);
  const Pair sent = run_second_beside_first(together, policy, policy, signal);
  CHECK(sent.second.standard_output == "sent\n");
}

TEST_CASE("an id belongs to another run only when nothing of the last one is left") {
  if (!root_is_here()) return;
  const Engine engine = GENERATE(Engine::none, Engine::native);
  OwnIdentities bench(engine, 1);
  // The script, and as native its init, which has the script's user.
  const std::size_t own_processes = engine == Engine::native ? 2 : 1;
  std::size_t most = 0;
  for (int i = 0; i < 20; ++i) {
    Listener listener;
    // The script forks nothing before it has been counted.
    listener.on_started = [&] {
      most = std::max(most, processes_of(first_id).size());
      for (const auto& run : std::filesystem::directory_iterator(bench.launcher->scratch_area())) {
        std::ofstream(run.path() / "scratch" / "counted") << "yes";
      }
    };
    const Ran ran = bench.run(script("until [ -e counted ]; do :; done; "
                                     "(setsid sleep 1000 &) >/dev/null 2>&1; id -u"),
                              bench.policy(), listener);
    CHECK(ran.standard_output == std::to_string(first_id) + "\n");
  }
  CHECK(most == own_processes);
  CHECK(eventually([] { return processes_of(first_id).empty(); }));
}

TEST_CASE("a run waits for an id that is in use, and may be cancelled meanwhile") {
  if (!root_is_here()) return;
  OwnIdentities bench(Engine::native, 1);
  bench.settings.grace = std::chrono::milliseconds(0);
  SECTION("its turn comes") {
    std::vector<RunRequest> requests;
    for (int i = 0; i < 5; ++i) requests.push_back(script("id -u"));
    for (const Ran& ran : bench.run_together(std::move(requests), bench.policy())) {
      CHECK(ran.standard_output == std::to_string(first_id) + "\n");
    }
  }
  SECTION("it is cancelled") {
    const Pair pair =
        run_second_beside_first(bench, bench.policy(), bench.policy(), [&](const std::string&) {
          bench.cancel->cancel();
          return script("echo ran");
        });
    CHECK(pair.second.result.outcome == Outcome::cancelled);
    CHECK(pair.second.standard_output.empty());
  }
}

TEST_CASE("the launcher starts nobody as a user that belongs to another run") {
  if (!root_is_here()) return;
  OwnIdentities bench(each_engine(), 4);
  const auto second_as = [&](std::uint32_t uid) {
    Policy named = bench.policy();
    named.privilege.uid = uid;
    return run_second_beside_first(bench, bench.policy(), named,
                                   [](const std::string&) { return script("echo ran"); })
        .second;
  };
  const Ran refused = second_as(first_id);
  CHECK(refused.result.outcome == Outcome::setup_failed);
  CHECK(refused.standard_output.empty());
  CHECK(refused.result.error.value_or("").find("belongs to another run") != std::string::npos);
  const Ran another = second_as(first_id + 100);
  CHECK(another.standard_output == "ran\n");
}

TEST_CASE("an unprivileged launcher gives nobody another user, whatever is set aside") {
  if (is_root()) return;  // the other cases are root's
  OwnIdentities bench(Engine::native, 4);
  CHECK(bench.launcher->identities() == nullptr);
  const Ran ran = bench.run(script("id -u"), bench.policy());
  CHECK(ran.standard_output == std::to_string(::geteuid()) + "\n");
}
