// What a check keeps between its runs: there again, bounded, its own, and as it was after a run
// that did not end by itself.
#include "tests/support/module_bench.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/state_keeper.hpp"

#include <signal.h>
#include <atomic>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

class GrantingBench : public ScriptBench {
 public:
  explicit GrantingBench(Engine used, std::optional<IdentityRange> identities = std::nullopt)
      : ScriptBench(used, Egress::untried, std::nullopt, identities), engine(used) {
    settings.host_view.state_bytes = StateKeeper::size_max.value;
  }
  Ran run_kept(StateKeeper& keeper, const std::string& text) {
    return keeper.run(*this, script("cd \"$CHECKSTACK_STATE_DIRECTORY\" || exit 9; " + text),
                      policy_for(engine));
  }
  /// The launcher's child with this name; 0 = it has none.
  std::vector<pid_t> children(const std::string& wanted) const {
    namespace fs = std::filesystem;
    std::vector<pid_t> found;
    std::error_code gone;  // processes of others end while we look
    for (fs::directory_iterator at("/proc", gone), end; at != end && !gone; at.increment(gone)) {
      std::ifstream comm(at->path() / "comm"), stat(at->path() / "stat");
      std::string name, line;
      if (!std::getline(comm, name) || name != wanted || !std::getline(stat, line)) continue;
      const auto parent = line.substr(line.rfind(')') + 4);
      if (!parent.starts_with(std::to_string(launcher->pid()) + " ")) continue;
      found.push_back(std::stoi(at->path().filename().string()));
    }
    return found;
  }
  /// The init with a script below it: that of an earlier run may be on its way out.
  pid_t init_of_script() const {
    for (const pid_t init : children("csat-init")) {
      const std::string pid = std::to_string(init);
      std::ifstream below("/proc/" + pid + "/task/" + pid + "/children");
      if (pid_t script = 0; below >> script) return init;
    }
    return 0;
  }
  /// Whether the launcher has a process left that copies states.
  bool has_copies() const { return !children("csat-state").empty(); }

  const Engine engine;
};

std::string all_of(const Ran& ran) {
  return ran.standard_output + ran.standard_error + ran.result.error.value_or("");
}

bool names_grant(const Ran& ran) {
  const auto& grants = ran.result.sandbox.grants;
  return std::find(grants.begin(), grants.end(), "state 1MiB") != grants.end();
}

}  // namespace

TEST_CASE("what a script leaves in its state is there in the next run, after success and failure") {
  const Engine engine = each_confining_engine();
  const auto code = GENERATE(0, 2);
  GrantingBench bench(engine);
  StateKeeper keeper;
  const Ran first = bench.run_kept(
      keeper,
      "ls -A; pwd; mkdir -p d/e; printf 'one' > d/e/count; printf x > 'with space'; : > empty; "
      "chmod 640 d/e/count; chmod 500 d; touch -d @1000000000 d/e/count; exit " +
          std::to_string(code));
  INFO(name_of(engine) << " " << all_of(first) << state_notes_of(first.result));
  CHECK(all_of(first) == "/.state\n");
  CHECK(first.result.exit_code == code);
  CHECK(names_grant(first));
  CHECK(first.result.has_new_state);
  CHECK(state_notes_of(first.result).empty());
  const Ran second =
      bench.run_kept(keeper,
                     "cat d/e/count; stat -c ' %a %Y' d/e/count; stat -c %a d; ls -A; "
                     "test -O d/e/count && echo own");
  CHECK(all_of(second) == "one 640 1000000000\n500\nd\nempty\nwith space\nown\n");
  CHECK(second.result.has_new_state);
}

TEST_CASE("a state counts up over runs that come cold, prepared and on a shared root") {
  GrantingBench bench(Engine::native);
  bench.keep_prepared(2);
  StateKeeper one, other;
  const std::string count = "echo x >> log; wc -l < log";
  CHECK(all_of(bench.run_kept(one, count)) == "1\n");
  for (int i = 2; i <= 4; ++i) {
    REQUIRE(bench.wait_until_prepared(1));
    const Ran ran = bench.run_kept(one, count);
    CHECK(all_of(ran) == std::to_string(i) + "\n");
    CHECK(ran.result.was_prepared);
    CHECK(names_grant(ran));
  }
  // Another check, in a sandbox that was made before it was known whose it is.
  REQUIRE(bench.wait_until_prepared(1));
  const Ran ran = bench.run_kept(other, count);
  CHECK(all_of(ran) == "1\n");
  CHECK(ran.result.was_prepared);
}

TEST_CASE("the earlier state stays after a run that was killed, timed out or cancelled") {
  const Engine engine = each_confining_engine();
  GrantingBench bench(engine);
  StateKeeper keeper;
  REQUIRE(bench.run_kept(keeper, "echo old > f").result.has_new_state);
  const std::string before = keeper.packed;
  const auto ending = GENERATE(as<std::string>{}, "kill -KILL $$", "kill -SEGV $$", "sleep 100",
                               "trap 'exit 0' TERM; sleep 100 & wait");
  RunRequest request =
      script("cd \"$CHECKSTACK_STATE_DIRECTORY\"; echo new > f; echo more > g; " + ending);
  if (ending.find("sleep") != std::string::npos) request.timeout = time_to_begin;
  const Ran ran = keeper.run(bench, std::move(request), policy_for(engine));
  INFO(name_of(engine) << ": " << ending);
  CHECK(ran.result.outcome != Outcome::exited);
  CHECK_FALSE(ran.result.has_new_state);
  CHECK(state_notes_of(ran.result).find("the earlier one stays") != std::string::npos);
  CHECK(keeper.packed == before);
  CHECK(all_of(bench.run_kept(keeper, "cat *")) == "old\n");
}

TEST_CASE("a state has no more room than is granted, and what does not fit changes nothing") {
  const Engine engine = each_confining_engine();
  GrantingBench bench(engine);
  StateKeeper keeper;
  REQUIRE(bench.run_kept(keeper, "echo old > f").result.has_new_state);
  // Nothing keeps a script from a smaller file than it wanted; that is its own affair.
  const Ran full = bench.run_kept(
      keeper, "rm f; head -c 3000000 /dev/zero > big 2>/dev/null || echo full; stat -c %s big");
  INFO(name_of(engine) << all_of(full));
  CHECK(full.standard_output.starts_with("full\n"));
  const auto size = std::stoul(full.standard_output.substr(5));
  CHECK(size <= StateKeeper::size_max.value);
  CHECK(size > StateKeeper::size_max.value / 2);  // positive control
  // More than a state may be, although it takes no room.
  const std::string before = keeper.packed;
  const Ran sparse = bench.run_kept(keeper, "rm -f big; truncate -s 200M hole");
  CHECK(sparse.result.exit_code == 0);
  CHECK_FALSE(sparse.result.has_new_state);
  CHECK(state_notes_of(sparse.result).find("more than 1048576 bytes") != std::string::npos);
  CHECK(keeper.packed == before);
}

TEST_CASE("no state is anybody else's, at the same time or later") {
  const Engine engine = each_confining_engine();
  GrantingBench bench(engine);
  StateKeeper one, other;
  CHECK(bench.run_kept(one, "echo one > f").result.has_new_state);
  CHECK(all_of(bench.run_kept(other, "ls -A; echo other > f")).empty());
  CHECK(all_of(bench.run_kept(one, "cat f")) == "one\n");
  std::vector<RunRequest> together;
  const std::string look =
      "cd \"$CHECKSTACK_STATE_DIRECTORY\"; cat f; echo $$ > mine; sleep 0.2; ls";
  together.push_back(one.begin(script(look)));
  together.push_back(other.begin(script(look)));
  const auto ran = bench.run_together(std::move(together), policy_for(engine));
  CHECK(ran.at(0).standard_output == "one\nf\nmine\n");
  CHECK(ran.at(1).standard_output == "other\nf\nmine\n");
}

TEST_CASE("a script that keeps nothing costs no copy and says nothing") {
  const Engine engine = each_confining_engine();
  GrantingBench bench(engine);
  StateKeeper keeper;
  const Ran ran = bench.run_kept(keeper, "echo done");
  CHECK(all_of(ran) == "done\n");
  CHECK_FALSE(ran.result.has_new_state);
  CHECK(state_notes_of(ran.result).empty());
}

TEST_CASE("a state that is emptied is kept empty") {
  const Engine engine = each_confining_engine();
  GrantingBench bench(engine);
  StateKeeper keeper;
  REQUIRE(bench.run_kept(keeper, "echo old > f").result.has_new_state);
  const Ran ran = bench.run_kept(keeper, "rm f");
  CHECK(ran.result.has_new_state);
  CHECK(read_packed_state(keeper.packed, StateKeeper::size_max)->empty());
  CHECK(all_of(bench.run_kept(keeper, "ls -A")).empty());
}

TEST_CASE(
    "a run that no check owns begins with nothing, and its report says that nothing is kept") {
  const Engine engine = each_confining_engine();
  GrantingBench bench(engine);
  for (int i = 0; i < 2; ++i) {
    const Ran ran = bench.run(
        script("ls -A $CHECKSTACK_STATE_DIRECTORY; echo x > $CHECKSTACK_STATE_DIRECTORY/f"),
        policy_for(engine));
    CHECK(all_of(ran).empty());
    CHECK(names_grant(ran));
    CHECK_FALSE(ran.result.has_new_state);
    CHECK(state_notes_of(ran.result).find("not kept") != std::string::npos);
  }
}

TEST_CASE("without a grant there is no state directory, nor for scripts of another kind") {
  const Engine engine = each_confining_engine();
  GrantingBench bench(engine);
  const std::string look =
      "echo \"${CHECKSTACK_STATE_DIRECTORY-none}\"; test -e /.state || echo gone";
  RunRequest automation = script(look);
  automation.kind = RunKind::automation;
  const Ran other = bench.run(std::move(automation), policy_for(engine));
  CHECK(all_of(other) == "none\ngone\n");
  bench.settings.host_view.state_bytes = 0;
  CHECK(all_of(bench.run(script(look), policy_for(engine))) == "none\ngone\n");
}

TEST_CASE("a kept state that cannot be read costs the script its state and not its run") {
  const Engine engine = each_confining_engine();
  GrantingBench bench(engine);
  StateKeeper keeper{"nothing that was packed"};
  const Ran ran = bench.run_kept(keeper, "ls -A; echo new > f");
  INFO(name_of(engine));
  CHECK(all_of(ran).empty());
  CHECK(state_notes_of(ran.result).find("began without") != std::string::npos);
  CHECK(ran.result.has_new_state);
  CHECK(all_of(bench.run_kept(keeper, "cat f")) == "new\n");
}

TEST_CASE("a state is its script's own also where each run has another user") {
  if (!require_layer("root", is_root(), "only root can give a run a user of its own")) return;
  const Engine engine = each_confining_engine();
  GrantingBench bench(engine, identities_of_this_process(4));
  StateKeeper keeper;
  std::string users;
  for (int i = 1; i <= 3; ++i) {
    const Ran ran = bench.run_kept(
        keeper, "echo x >> f && chmod 600 f && stat -c %u f | grep -qx $(id -u) && wc -l < f");
    INFO(name_of(engine) << all_of(ran));
    CHECK(all_of(ran) == std::to_string(i) + "\n");
  }
}

TEST_CASE("copying leaves no process, and a run's end waits for it") {
  const Engine engine = each_confining_engine();
  GrantingBench bench(engine);
  StateKeeper keeper;
  for (int i = 0; i < 3; ++i) {
    const Ran ran =
        bench.run_kept(keeper, "for n in $(seq 1 200); do echo $n > file-$n; done; ls | wc -l");
    CHECK(all_of(ran) == "200\n");
    CHECK(ran.result.has_new_state);
  }
  CHECK(eventually([&] { return !bench.has_copies(); }));
}

TEST_CASE("the end of a run's time does not reach the copy of what its script left") {
  const Engine engine = each_confining_engine();
  GrantingBench bench(engine);
  bench.settings.host_view.state_bytes = state_size_max.value;
  bench.settings.grace = std::chrono::milliseconds(200);
  std::atomic<bool> was_held = false;
  // A copy that ended before it could be held says nothing, nor does a script that was too slow.
  for (int attempt = 0; attempt < 30 && !was_held; ++attempt) {
    StateKeeper keeper;
    RunRequest request = keeper.begin(
        script("cd \"$CHECKSTACK_STATE_DIRECTORY\" && head -c 50000000 /dev/zero > f; echo done"));
    // The copy is given up after 10 s of its own, with which what follows has to be done.
    request.timeout = std::chrono::seconds(4);
    const auto file = request.state->file;
    std::atomic<bool> is_over = false;
    const auto time_is_over = std::chrono::steady_clock::now() + request.timeout;
    std::thread holder([&] {
      pid_t copy = 0;
      while (!is_over && copy == 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        const auto copies = bench.children("csat-state");
        copy = copies.empty() ? 0 : copies.front();
      }
      if (copy == 0 || ::kill(copy, SIGSTOP) != 0) return;
      was_held = std::chrono::steady_clock::now() < time_is_over;
      // By then the run was told to end, and killed.
      std::this_thread::sleep_until(time_is_over + 5 * bench.settings.grace);
      ::kill(copy, SIGCONT);
    });
    const Ran ran = bench.run(std::move(request), policy_for(engine));
    is_over = true;
    holder.join();
    if (!was_held) continue;
    INFO(name_of(engine) << ": " << all_of(ran) << state_notes_of(ran.result));
    CHECK(ran.standard_output == "done\n");
    CHECK(ran.result.outcome == Outcome::exited);
    CHECK(ran.result.exit_code == 0);
    CHECK(ran.result.has_new_state);
    CHECK(state_notes_of(ran.result).empty());
    CHECK(read_state_file(file->get(), state_size_max)->size() > 50'000'000);
  }
  CHECK(was_held);
}

TEST_CASE(
    "a run whose init was killed, as by its control group, says that the earlier state stays") {
  GrantingBench bench(Engine::native);
  StateKeeper keeper;
  const bool has_one_before = GENERATE(true, false);
  if (has_one_before) REQUIRE(bench.run_kept(keeper, "echo old > f").result.has_new_state);
  const std::string before = keeper.packed;
  Listener listener;
  listener.on_output = [&bench](const std::string&) {
    const pid_t init = bench.init_of_script();
    REQUIRE(init > 0);
    REQUIRE(::kill(init, SIGKILL) == 0);
  };
  const std::string text = "cd \"$CHECKSTACK_STATE_DIRECTORY\"; " +
                           std::string(has_one_before ? "" : "echo new > g; ") +
                           "echo here; sleep 100";
  const Ran ran = bench.run(keeper.begin(script(text)), policy_for(Engine::native), listener);
  keeper.take(ran.result);
  CHECK(ran.result.outcome == Outcome::interrupted);
  CHECK_FALSE(ran.result.has_new_state);
  CHECK(state_notes_of(ran.result).find("the earlier one stays") != std::string::npos);
  CHECK(keeper.packed == before);
}

TEST_CASE("a module finds its state, and no runtime stands before it is known whose that is") {
  const RuntimeHere runtime = each_module_runtime();
  const std::string leaving = GENERATE("", "setInterval(() => {}, 1000); ");
  ModuleBench bench(runtime);
  bench.settings.host_view.state_bytes = StateKeeper::size_max.value;
  bench.policy.resources.max_processes = 4'096;  // a part of it is for those that stand
  bench.keep_standing(1);
  StateKeeper keeper;
  const std::string text =
      "const fs = await import('node:fs'); const f = process.env.CHECKSTACK_STATE_DIRECTORY + "
      "'/n'; "
      "const n = fs.existsSync(f) ? Number(fs.readFileSync(f, 'utf8')) + 1 : 1; "
      "fs.writeFileSync(f, String(n)); " +
      leaving + "return n;";
  for (int i = 1; i <= 3; ++i) {
    const Ran ran = keeper.run(bench, module(text), bench.policy);
    INFO(runtime.name << " " << all_of(ran) << state_notes_of(ran.result));
    CHECK(result_of(ran) == i);
    CHECK(ran.result.has_new_state);
  }
  CHECK(bench.count_standing() == 0);
}
