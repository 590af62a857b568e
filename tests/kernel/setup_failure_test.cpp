#include "sandbox/launcher/client/make_launch_order.hpp"
#include "sandbox/probing/trial.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>
#include <filesystem>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

/// Orders are given to the launcher as they are; a script that ran would leave this file behind.
struct OrderBench : ScriptBench {
  explicit OrderBench(RootScripts root_scripts = RootScripts::refused)
      : ScriptBench(Engine::native, Egress::untried, std::nullopt, std::nullopt, root_scripts) {
    witness = "/tmp/satellite-witness-" + unique_marker();
    order.run_number = launcher->next_run_number();
    order.command = {"sh", "-c", "echo > " + witness};
    order.environment = {{"PATH", "/usr/bin:/bin"}};
    order.scratch_directory = launcher->scratch_directory(order.run_number);
    if (is_root()) order.identity = script_identity;
  }
  ~OrderBench() { std::filesystem::remove(witness); }

  bool script_ran() const { return std::filesystem::exists(witness); }

  /// What the launcher says at the end.
  TrialOutcome carry_out() {
    TrialOutcome end;
    boost::asio::co_spawn(context, try_order(context, *launcher, order),
                          [&](const std::exception_ptr&, TrialOutcome ended) {
                            end = std::move(ended);
                            context.stop();
                          });
    context.run();
    context.restart();
    return end;
  }

  RunSetupFailed failure() {
    const auto record = carry_out();
    REQUIRE(record.has_value());
    CHECK_FALSE(script_ran());
    CHECK(std::filesystem::is_empty(launcher->scratch_area()));
    INFO("event " << record->event.index());
    REQUIRE(std::holds_alternative<RunSetupFailed>(record->event));
    return std::get<RunSetupFailed>(record->event);
  }

  /// The order as it would be for the given policy, under bubblewrap.
  void wrap(std::vector<std::string> extra = {}) {
    if (facts.wrapper_path.empty()) try_engines({Engine::bwrap});
    const std::string& scratch = order.scratch_directory;
    order.engine = Engine::bwrap;
    order.wrapper = {facts.wrapper_path,
                     "--unshare-all",
                     "--die-with-parent",
                     "--ro-bind",
                     "/usr",
                     "/usr",
                     "--ro-bind",
                     "/bin",
                     "/bin",
                     "--ro-bind",
                     "/lib",
                     "/lib",
                     "--ro-bind-try",
                     "/lib64",
                     "/lib64",
                     "--ro-bind",
                     "/etc",
                     "/etc",
                     "--tmpfs",
                     "/tmp",
                     "--bind",
                     scratch,
                     scratch,
                     "--proc",
                     "/proc",
                     "--dev",
                     "/dev",
                     "--chdir",
                     scratch};
    order.wrapper.insert(order.wrapper.end(), extra.begin(), extra.end());
    order.expectation.own_namespaces = true;
    order.expectation.own_network = true;
    order.expectation.routeless = true;
    order.expectation.confined_filesystem = true;
    order.expectation.not_host_root = true;
    order.expectation.identity = order.identity;
  }

  std::string refusal() {
    const auto record = carry_out();
    REQUIRE(record.has_value());
    CHECK_FALSE(script_ran());
    INFO("event " << record->event.index());
    REQUIRE(std::holds_alternative<RunRefused>(record->event));
    return std::get<RunRefused>(record->event).missing;
  }

  LaunchOrder order;
  std::string witness;
};

}  // namespace

TEST_CASE("an order that nothing is wrong with runs") {
  OrderBench bench;
  const auto record = bench.carry_out();
  REQUIRE(record.has_value());
  CHECK(std::holds_alternative<RunEnded>(record->event));
  CHECK(bench.script_ran());
}

TEST_CASE("each cause of a failed set-up is named by its step") {
  OrderBench bench;
  SECTION("the wrapper is not there") {
    bench.wrap();
    bench.order.wrapper.front() = "/nonexistent/bwrap";
    const auto failure = bench.failure();
    CHECK(failure.step == SetupStep::exec_wrapper);
    CHECK(failure.error_number == ENOENT);
  }
  SECTION("the wrapper gives up, in its own words") {
    bench.wrap({"--ro-bind", "/nonexistent", "/x"});
    const auto failure = bench.failure();
    CHECK(failure.step == SetupStep::wrapper);
    CHECK(failure.text.find("/nonexistent") != std::string::npos);
  }
  SECTION("the scratch directory is not ours to make") {
    bench.order.scratch_directory = GENERATE("/tmp/elsewhere", "/", "/etc");
    CHECK(bench.failure().step == SetupStep::scratch_directory);
  }
  SECTION("the scratch directory leads out of the area") {
    bench.order.scratch_directory = bench.launcher->scratch_area() + "/..";
    CHECK(bench.failure().step == SetupStep::scratch_directory);
  }
  SECTION("the working directory is not there") {
    bench.order.working_directory = "/nonexistent";
    const auto failure = bench.failure();
    CHECK(failure.step == SetupStep::working_directory);
    CHECK(failure.error_number == ENOENT);
  }
  SECTION("the command is not there") {
    bench.order.command = {"no-such-command"};
    const auto failure = bench.failure();
    CHECK(failure.step == SetupStep::find_command);
    CHECK(failure.error_number == ENOENT);
  }
  SECTION("the command is there but cannot be executed") {
    bench.order.command = {"/etc/passwd"};
    const auto failure = bench.failure();
    CHECK(failure.step == SetupStep::find_command);
    CHECK(failure.error_number == EACCES);
  }
  SECTION("the identity cannot be dropped to") {
    OrderBench trusting(RootScripts::allowed);
    trusting.order.identity = Identity{0, 0};
    const auto failure = trusting.failure();
    CHECK(failure.step == (is_root() ? SetupStep::confirm_identity : SetupStep::user_id));
  }
  SECTION("the identity is the number that means `leave as it is`") {
    bench.order.identity = Identity{0xFFFF'FFFF, 0xFFFF'FFFF};
    const auto step = bench.failure().step;
    CHECK((step == SetupStep::confirm_identity || step == SetupStep::user_id ||
           step == SetupStep::scratch_directory));
  }
}

TEST_CASE("a process limit that is used up already fails the exec, not the script") {
  if (!require_layer("root", is_root(), "the kernel judges it when the ids change")) return;
  OrderBench bench;
  const Identity crowded{64'999, 64'999};
  const pid_t neighbour = ::fork();
  if (neighbour == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::setresuid(crowded.uid, crowded.uid, crowded.uid) == 0) ::pause();
    ::_exit(1);
  }
  REQUIRE(eventually(
      [&] { return read_proc(neighbour, "status").find("Uid:\t64999") != std::string::npos; }));
  bench.order.identity = crowded;
  bench.order.resource_settings = {{Resource::processes, 0}};
  const auto failure = bench.failure();
  ::kill(neighbour, SIGKILL);
  ::waitpid(neighbour, nullptr, 0);
  CHECK(failure.step == SetupStep::exec);
  CHECK(failure.error_number == EAGAIN);
}

TEST_CASE("a scratch parent that cannot be used keeps the launcher from starting") {
  const auto missing = Launcher::start({"/nonexistent"});
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().code == ErrorCode::not_found);
  const auto unwritable = Launcher::start({"/proc"});
  CHECK_FALSE(unwritable.has_value());
}

TEST_CASE("a run whose required layer is not there is refused before its first instruction") {
  OrderBench bench;
  bench.wrap();
  const auto untouched = bench.carry_out();
  REQUIRE(untouched.has_value());
  CHECK(std::holds_alternative<RunEnded>(untouched->event));  // positive control
  bench.order.run_number = bench.launcher->next_run_number();
  auto& wrapper = bench.order.wrapper;
  SECTION("the wrapper shares the network") {
    wrapper.push_back("--share-net");
    CHECK(bench.refusal().find("network: shares the host's network namespace") == 0);
  }
  SECTION("a host directory is writable") {
    wrapper.insert(wrapper.end(), {"--bind", "/var/tmp", "/var/tmp"});
    CHECK(bench.refusal() == "filesystem: /var/tmp is writable");
  }
  SECTION("the host's /tmp shows through") {
    wrapper.insert(wrapper.end(), {"--ro-bind", "/tmp", "/tmp"});
    CHECK(bench.refusal().find("/tmp is not private") != std::string::npos);
  }
  SECTION("a memory file system of the host stands in for the run's own") {
    wrapper.insert(wrapper.end(), {"--ro-bind", "/dev/shm", "/tmp", "--chdir", "/"});
    CHECK(bench.refusal().find("/tmp is not private") != std::string::npos);
  }
  SECTION("a memory file system of the host is writable where one of the run's own may be") {
    wrapper.insert(wrapper.end(), {"--bind", "/dev/shm", "/run"});
    CHECK(bench.refusal() == "filesystem: /run is writable");
  }
  SECTION("the whole host is the root") {
    wrapper = {bench.facts.wrapper_path,
               "--unshare-all",
               "--die-with-parent",
               "--bind",
               "/",
               "/",
               "--proc",
               "/proc",
               "--dev",
               "/dev"};
    CHECK(bench.refusal().find("filesystem: the root is the host's") != std::string::npos);
  }
  SECTION("another user than expected") {
    bench.order.expectation.identity = Identity{12'345, 12'345};
    CHECK(bench.refusal().find("privilege: the host uid is") == 0);
  }
  SECTION("a limit is not set") {
    bench.order.expectation.resource_settings = {{Resource::open_files, 10}};
    CHECK(bench.refusal().find("resources: nofile is") == 0);
  }
}

TEST_CASE("without a wrapper, namespaces that were promised are missed") {
  OrderBench bench;
  bench.order.expectation.own_namespaces = true;
  bench.order.expectation.confined_filesystem = true;
  const std::string missing = bench.refusal();
  CHECK(missing.find("shares the host's pid namespace") != std::string::npos);
  CHECK(missing.find("the root is the host's") != std::string::npos);
}

TEST_CASE("host root is noticed when it was promised away") {
  if (!require_layer("root", is_root(), "only root changes identities")) return;
  OrderBench bench(RootScripts::allowed);
  bench.order.identity.reset();
  bench.order.expectation.not_host_root = true;
  CHECK(bench.refusal().find("privilege: the host uid is 0") == 0);
}

TEST_CASE("without any valid policy a host that cannot confine runs nothing") {
  const Engine engine = GENERATE(Engine::none, Engine::native);
  ScriptBench bench(engine);
  Runner runner(bench.context, *bench.launcher, bench.facts, bench.settings);
  Listener listener;
  std::optional<RunResult> result;
  boost::asio::co_spawn(bench.context,
                        runner.run(script("echo ran"), ResolvedPolicy{}, listener, *bench.cancel),
                        [&](const std::exception_ptr&, RunResult ended) {
                          result = std::move(ended);
                          bench.context.stop();
                        });
  bench.context.restart();
  bench.context.run();
  REQUIRE(result);
  INFO(result->error.value_or(""));
  if (engine == Engine::native) {  // positive control
    CHECK(listener.standard_output == "ran\n");
    return;
  }
  CHECK(result->outcome == Outcome::refused);
  CHECK(result->error.value_or("").find("network: ") != std::string::npos);
  CHECK(result->error.value_or("").find("filesystem: ") != std::string::npos);
  CHECK(listener.standard_output.empty());
}

TEST_CASE("a root launcher starts nothing as root, whatever its order says") {
  if (!require_layer("root", is_root(), "only root could start a script as root")) return;
  OrderBench bench;
  bench.order.identity =
      GENERATE(std::optional<Identity>{}, std::optional(Identity{0, 0}),
               std::optional(Identity{0, 65'530}), std::optional(Identity{65'530, 0}));
  const std::string missing = bench.refusal();
  CHECK(missing.find("the script would be root on this host") != std::string::npos);
  CHECK(missing.find("operator.allow_root_scripts") != std::string::npos);
}

TEST_CASE("a root launcher prepares nothing as root either") {
  if (!require_layer("root", is_root(), "only root could start a script as root")) return;
  OrderBench bench;
  bench.order.identity.reset();
  auto link = bench.launcher->prepare_run(bench.order);
  REQUIRE(link);
  std::optional<LauncherRecord> record;
  link->notify([&] { bench.context.stop(); });
  bench.context.restart();
  bench.context.run_for(std::chrono::seconds(10));
  record = link->take();
  REQUIRE(record);
  CHECK(std::holds_alternative<RunRefused>(record->event));
}

TEST_CASE("a root launcher starts a script as root where its operator lets it") {
  if (!require_layer("root", is_root(), "only root could start a script as root")) return;
  OrderBench bench(RootScripts::allowed);
  bench.order.identity.reset();
  const auto record = bench.carry_out();
  REQUIRE(record.has_value());
  CHECK(std::holds_alternative<RunEnded>(record->event));
  CHECK(bench.script_ran());
}

TEST_CASE("a refused policy names its layers and starts nothing") {
  ScriptBench bench(Engine::none);
  const Ran ran = bench.run(script("echo never"), shipped_default_policy());
  CHECK(ran.result.outcome == Outcome::refused);
  CHECK(ran.result.error->find("sandbox unavailable: ") == 0);
  CHECK(ran.standard_output.empty());
  CHECK_FALSE(ran.report.has_value());
  CHECK(ran.result.sandbox.enforced == EnforcedLayers{});
}
