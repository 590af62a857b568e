#include "agent/dispatch/dispatcher.hpp"

#include "agent/dispatch/run_translation.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "tests/unit/agent/outbound/memory_outbox.hpp"

#include <fcntl.h>
#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

using namespace satellite;
using namespace satellite::agent;
using nlohmann::json;

namespace {

/// `early` breaks before it starts, `late` afterwards, any other ends well.
boost::asio::awaitable<RunPipelineOutcome> execute(RunPipelineDependencies dependencies,
                                                   RunPipelineInput input) {
  if (input.request.script == "early") throw std::runtime_error("broken early");
  dependencies.stream.started({});
  if (input.request.script == "late") throw std::runtime_error("broken late");
  sandbox::RunResult result;
  result.outcome = sandbox::Outcome::exited;
  result.exit_code = 0;
  auto message = finished_message_from(result, std::nullopt);
  co_return RunPipelineOutcome{std::move(result), std::move(message)};
}

protocol::RunScript script(const std::string& text) {
  protocol::RunScript message;
  message.run_id = RunId("run-" + text);
  message.script = text;
  message.timeout = std::chrono::seconds(1);
  return message;
}

}  // namespace

TEST_CASE("a run that a mistake of ours ends has its one end and gives its place back") {
  boost::asio::io_context context;
  auto launcher = sandbox::Launcher::start();
  REQUIRE(launcher);
  (*launcher)->attach(context, [] {});
  sandbox::Runner runner(context, **launcher, sandbox::RunnerSettings{});
  const UniqueFd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  Log log(LogLevel::debug, nowhere.get());
  Config config;
  config.concurrency = 1;
  config.queue_length = 5;
  config.script_timeout_max = std::chrono::hours(1);
  sandbox::PolicyProvider policies;
  Store store(context, tests::memory_only());
  Outbox outbox(context, store, {});
  outbox.connection_up({true, false});
  ScriptPackages packages(context, log, {}, [](const auto&) {});
  RunStatistics statistics;
  CheckStates states(context, log, store, {}, {});
  Dispatcher dispatcher(
      {context, log, config, runner, policies, outbox, packages, store, statistics, states},
      execute);
  for (const char* text : {"early", "late", "well"}) dispatcher.receive(script(text));
  std::map<std::string, json> ends;
  for (int i = 0; i < 1'000 && ends.size() < 3; ++i) {
    context.run_for(std::chrono::milliseconds(1));
    while (auto frame = tests::next_delivered(outbox)) {
      const json message = json::parse(*frame);
      if (message.at("type") != "script_finished") continue;
      CHECK(ends.emplace(message.at("runId"), message).second);
    }
  }
  REQUIRE(ends.size() == 3);
  CHECK(ends["run-early"].at("outcome") == "setup_failed");
  CHECK(ends["run-early"].at("seq") == 0);
  CHECK(ends["run-late"].at("outcome") == "interrupted");
  CHECK(ends["run-late"].at("seq") == 1);
  CHECK(ends["run-late"].at("error").get<std::string>().find("internal error") !=
        std::string::npos);
  CHECK(ends["run-well"].at("outcome") == "exited");
  // What the core asks for later is known, too.
  dispatcher.receive(protocol::QueryScript{RunId("run-early")});
  std::optional<std::string> status;
  for (int i = 0; i < 1'000 && !status; ++i) {
    context.run_for(std::chrono::milliseconds(1));
    status = tests::next_delivered(outbox);
  }
  REQUIRE(status);
  CHECK(json::parse(*status).at("state") == "finished");
  CHECK(json::parse(*status).at("finished").at("outcome") == "setup_failed");
  // Its end was said before the last of its task has run.
  bool stopped = false;
  boost::asio::co_spawn(context, dispatcher.stop(), [&](std::exception_ptr) { stopped = true; });
  for (int i = 0; i < 60'000 && !stopped; ++i) context.run_for(std::chrono::milliseconds(1));
  CHECK(stopped);
}
