#include "tests/end_to_end/scene.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

using namespace satellite;
using namespace satellite::tests;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

enum class FrameOrder { any, kept };

Scene::Options core_that_reads(FrameOrder order) {
  Scene::Options options = Scene::with_policy(default_policy);
  options.core.extensions = {"script-dispatch/1"};
  if (order == FrameOrder::kept) options.core.extensions.emplace_back("ordered-frames/1");
  return options;
}

json started_report(const devcore::CollectedRun& run) {
  return json::parse(run.started->sandbox_json);
}

}  // namespace

TEST_CASE("a healthy script is accepted, started with its report, streamed and finished") {
  Scene scene(core_that_reads(GENERATE(FrameOrder::any, FrameOrder::kept)));
  const auto run = scene.run("echo one; echo two >&2; echo three");
  REQUIRE(run.accepted);
  CHECK(run.accepted->position == 0);
  REQUIRE(run.started);
  CHECK(run.started->seq == 0);
  CHECK(run.standard_output == "one\nthree\n");
  CHECK(run.standard_error == "two\n");
  CHECK(run.finished->outcome == "exited");
  CHECK(run.finished->exit_code == 0);
  CHECK_FALSE(run.finished->output_truncated);
  CHECK(run.finished->bytes_standard_output.value == 10);
  CHECK(run.finished->bytes_standard_error.value == 4);

  const json sandbox = started_report(run);
  CHECK(sandbox.at("engine") == "native");
  for (const char* layer : {"resources", "filesystem", "network", "privilege"}) {
    INFO(layer << ": " << sandbox.dump(2));
    CHECK(sandbox.at("enforced").at(layer) == true);
  }
  CHECK(sandbox.at("downgrades").empty());
  REQUIRE(sandbox.at("layers").size() == 4);
  for (const json& layer : sandbox.at("layers")) {
    CHECK_FALSE(layer.at("mechanism").get<std::string>().empty());
    CHECK_FALSE(layer.at("evidence").get<std::string>().empty());
  }
}

TEST_CASE("output arrives while the script still runs") {
  Scene scene(core_that_reads(GENERATE(FrameOrder::any, FrameOrder::kept)));
  auto message = script("echo first; read line; echo never");
  // Its standard input never ends a line before the script is cancelled.
  message.script = "echo first; sleep 600";
  message.timeout = 60s;
  const std::string id = message.run_id.text;
  scene.core().dispatch(std::move(message));
  const auto seen = scene.core().wait_output(id, 6);
  REQUIRE(seen);
  CHECK(seen->standard_output == "first\n");
  CHECK_FALSE(seen->finished);
  scene.core().cancel(id, "seen enough");
  const auto run = scene.core().wait_finished(id);
  REQUIRE(run);
  CHECK(run->finished->outcome == "cancelled");
  CHECK(run->finished->exit_code == -1);
  CHECK(run->standard_output == "first\n");
}

TEST_CASE("the exit code of the script is reported as it is") {
  Scene scene;
  const int code = GENERATE(1, 3, 126, 127, 143, 255);
  const auto run = scene.run("exit " + std::to_string(code));
  CHECK(run.finished->outcome == "exited");
  CHECK(run.finished->exit_code == code);
  CHECK_FALSE(run.finished->signal);
}

TEST_CASE("death by a signal is told apart from an exit code that looks like one") {
  Scene scene;
  const auto run = scene.run("kill -TERM $$; sleep 60");
  CHECK(run.finished->outcome == "signaled");
  CHECK(run.finished->signal == SIGTERM);
  CHECK(run.finished->exit_code == 128 + SIGTERM);
}

TEST_CASE("a timeout keeps what the script said and ends one that ignores TERM") {
  Scene scene;
  auto message = script("trap '' TERM; echo before; while :; do sleep 1; done");
  message.timeout = 4s;  // long enough to begin on a busy host
  const auto run = scene.run(std::move(message));
  CHECK(run.finished->outcome == "timed_out");
  CHECK(run.finished->exit_code == -1);
  CHECK(run.standard_output == "before\n");
}

TEST_CASE("a script that waits for a place can be cancelled, and cancelling is idempotent") {
  Scene::Options options = Scene::with_policy(default_policy);
  options.environment["CHECKSTACK_SATELLITE_CONCURRENCY"] = "1";
  Scene scene(std::move(options));
  auto first = script("sleep 600");
  auto second = script("echo never");
  const std::string first_id = first.run_id.text;
  const std::string second_id = second.run_id.text;
  scene.core().dispatch(std::move(first));
  REQUIRE(scene.core().wait_started(first_id));
  scene.core().dispatch(std::move(second));
  const auto accepted = scene.core().wait_answered(second_id);
  REQUIRE(accepted);
  CHECK(accepted->accepted->position == 1);
  scene.core().cancel(second_id);
  const auto cancelled = scene.core().wait_finished(second_id);
  REQUIRE(cancelled);
  CHECK(cancelled->finished->outcome == "cancelled");
  CHECK_FALSE(cancelled->started);
  scene.core().cancel(first_id);
  scene.core().cancel(first_id);
  const auto run = scene.core().wait_finished(first_id);
  REQUIRE(run);
  CHECK(run->finished->outcome == "cancelled");
}

TEST_CASE("output stops exactly at the policy's cap and the script with it") {
  Scene scene(Scene::with_policy(policy_with_output_cap(100'000)));
  const auto run = scene.run("yes 123456789 ; echo never");
  CHECK(run.finished->outcome == "output_limit");
  CHECK(run.finished->output_truncated);
  CHECK(run.standard_output.size() + run.standard_error.size() == 100'000);
  CHECK(run.finished->bytes_standard_output.value == 100'000);
}

TEST_CASE("the cap counts both streams together") {
  Scene scene(Scene::with_policy(policy_with_output_cap(1'000)));
  const auto run = scene.run(
      "head -c 600 /dev/zero | tr '\\0' a; head -c 600 /dev/zero | tr '\\0' b >&2; sleep 60");
  CHECK(run.finished->outcome == "output_limit");
  CHECK(run.standard_output.size() + run.standard_error.size() == 1'000);
}

TEST_CASE("output just at the cap is no truncation") {
  Scene scene(Scene::with_policy(policy_with_output_cap(1'000)));
  const auto run = scene.run("head -c 1000 /dev/zero | tr '\\0' a");
  CHECK(run.finished->outcome == "exited");
  CHECK_FALSE(run.finished->output_truncated);
  CHECK(run.standard_output.size() == 1'000);
}

TEST_CASE("a script of 300 KiB runs, and it is still `sh -c` to itself") {
  Scene scene;
  std::string text = "echo \"$0\"\n";
  while (text.size() < 300 * 1024) text += ": 0123456789012345678901234567890123456789\n";
  text += "ls /proc/self/fd | wc -l\nsh -c 'ls /proc/$$/fd' | wc -l\nexit 7";
  const auto run = scene.run(text);
  CHECK(run.finished->outcome == "exited");
  CHECK(run.finished->exit_code == 7);
  CHECK(run.standard_output.rfind("sh\n", 0) == 0);
}

TEST_CASE("every byte comes back as it was written, text or not") {
  Scene scene;
  const auto run =
      scene.run("i=0; while [ $i -lt 256 ]; do printf \"\\\\$(printf %03o $i)\"; i=$((i+1)); done");
  std::string expected;
  for (int i = 0; i < 256; ++i) expected += static_cast<char>(i);
  CHECK(run.standard_output == expected);
}

TEST_CASE("a code point split between two writes and two chunks stays whole") {
  Scene scene;
  const auto run = scene.run(
      "printf '\\303'; sleep 0.05; printf '\\244'; head -c 32767 /dev/zero | tr '\\0' a;"
      "printf '\\342\\202\\254'");
  CHECK(run.standard_output == "\xC3\xA4" + std::string(32'767, 'a') + "\xE2\x82\xAC");
  // Everything here is valid UTF-8, so nothing had to go as base64.
  for (const std::string& frame : scene.core().ledger().frames("script_output")) {
    CHECK(frame.find("\"base64\"") == std::string::npos);
  }
}

TEST_CASE("the environment arrives, and what would run foreign code is dropped and named") {
  Scene scene;
  auto message =
      script("echo \"$GREETING|$LD_PRELOAD|$BASH_ENV|$SECRET_LENGTH\"; env | grep -c ^LD_");
  message.environment = {{"GREETING", "hello world"},
                         {"LD_PRELOAD", "/tmp/x.so"},
                         {"LD_DEBUG_OUTPUT", "/tmp/escape"},
                         {"BASH_ENV", "/tmp/x"}};
  const auto run = scene.run(std::move(message));
  CHECK(run.standard_output == "hello world|||\n0\n");
  const auto& dropped = run.finished->dropped_environment;
  for (const char* name : {"LD_PRELOAD", "LD_DEBUG_OUTPUT", "BASH_ENV"}) {
    INFO(name);
    CHECK(std::find(dropped.begin(), dropped.end(), name) != dropped.end());
  }
}

TEST_CASE("a secret reaches the script and never the output or the log") {
  Scene scene;
  auto message =
      script("printf '%s' \"$TOKEN\" | wc -c; echo \"$TOKEN\"; printf '%s' \"$TOKEN\" | base64");
  message.secret_environment.emplace("TOKEN", Secret("s3cr3t-value-1"));
  const auto run = scene.run(std::move(message));
  CHECK(run.standard_output.rfind("14\n****\n****", 0) == 0);
  // Of the last group of base64 not every bit is the secret's, so its end may stay.
  CHECK(run.standard_output.size() <= 17);
  CHECK(scene.satellite().log().find("s3cr3t") == std::string::npos);
}

TEST_CASE("standard input and the working directory are the message's") {
  Scene scene;
  auto message = script("cat; pwd");
  message.standard_input = "line one\nline two\n";
  message.working_directory = "/usr";
  const auto run = scene.run(std::move(message));
  CHECK(run.standard_output == "line one\nline two\n/usr\n");
}

TEST_CASE(
    "without an input the script reads the end of /dev/null and works in its scratch directory") {
  Scene scene;
  const auto run = scene.run("cat; echo x > here && ls; pwd | grep -c ^/tmp/.");
  CHECK(run.standard_output == "here\n1\n");
}

TEST_CASE("an automation gets its context as variables and hands on an artifact") {
  Scene scene;
  auto message = script("echo \"$CHECKSTACK_TRIGGER_EVENT\"; exit 4");
  message.kind = protocol::ScriptKind::automation;
  message.context_json = R"({"trigger":{"event":"incident.created"}})";
  const auto run = scene.run(std::move(message));
  CHECK(run.standard_output == "incident.created\n");
  REQUIRE(run.finished->artifact_json);
  const json artifact = json::parse(*run.finished->artifact_json);
  CHECK(artifact.at("exitCode") == 4);
  CHECK(artifact.at("stdout") == "incident.created\n");
  CHECK(artifact.at("timedOut") == false);
}

TEST_CASE("a background child that holds the pipe does not turn success into a timeout") {
  Scene scene;
  auto message = script("(sleep 600 &) ; echo done");
  message.timeout = 15s;
  const auto run = scene.run(std::move(message));
  CHECK(run.finished->outcome == "exited");
  CHECK(run.standard_output == "done\n");
}

TEST_CASE("a run id is executed once, whatever the core repeats") {
  Scene scene;
  auto message = script("echo once");
  auto again = script("echo twice");
  again.run_id = message.run_id;
  const std::string id = message.run_id.text;
  scene.run(std::move(message));
  scene.core().dispatch(std::move(again));
  eventually("the status arrives", [&] { return !scene.core().ledger().run(id).statuses.empty(); });
  const auto run = scene.core().ledger().run(id);
  REQUIRE(run.statuses.size() == 1);
  CHECK(run.statuses[0].state == protocol::ScriptState::finished);
  REQUIRE(run.statuses[0].finished_json);
  CHECK(json::parse(*run.statuses[0].finished_json).at("exitCode") == 0);
  CHECK(run.standard_output == "once\n");
}

TEST_CASE("a full queue rejects, and the same id may be dispatched again later") {
  Scene::Options options = Scene::with_policy(default_policy);
  options.environment["CHECKSTACK_SATELLITE_CONCURRENCY"] = "1";
  options.environment["CHECKSTACK_SATELLITE_QUEUE_LENGTH"] = "1";
  Scene scene(std::move(options));
  auto running = script("sleep 600");
  const std::string running_id = running.run_id.text;
  scene.core().dispatch(std::move(running));
  REQUIRE(scene.core().wait_started(running_id));
  scene.core().dispatch(script("echo waits"));
  auto third = script("echo later");
  auto third_again = script("echo later");
  third_again.run_id = third.run_id;
  const std::string third_id = third.run_id.text;
  scene.core().dispatch(std::move(third));
  const auto answered = scene.core().wait_answered(third_id);
  REQUIRE(answered);
  REQUIRE(answered->rejected);
  CHECK(answered->rejected->code == protocol::RejectionCode::queue_full);
  scene.core().cancel(running_id);
  REQUIRE(scene.core().wait_finished(running_id));
  const auto run = scene.run(std::move(third_again));
  CHECK(run.standard_output == "later\n");
}

TEST_CASE("what the operator forbids is not run, and the core hears why") {
  Scene::Options options = Scene::with_policy(default_policy);
  options.settings_file = "[operator]\nautomation = false\n";
  Scene scene(std::move(options));
  auto message = script("echo no");
  message.kind = protocol::ScriptKind::automation;
  const std::string id = message.run_id.text;
  scene.core().dispatch(std::move(message));
  const auto answered = scene.core().wait_answered(id);
  REQUIRE(answered);
  REQUIRE(answered->rejected);
  CHECK(answered->rejected->code == protocol::RejectionCode::forbidden);
  CHECK(scene.run("echo yes").standard_output == "yes\n");
}

TEST_CASE("a script that came too late or is malformed is rejected by name") {
  Scene scene;
  auto late = script("echo late");
  late.start_before = std::chrono::system_clock::now() - 1s;
  const std::string late_id = late.run_id.text;
  scene.core().dispatch(std::move(late));
  auto answered = scene.core().wait_answered(late_id);
  REQUIRE(answered);
  CHECK(answered->rejected->code == protocol::RejectionCode::expired);

  scene.core().push_text(R"({"type":"run_script","runId":"broken-1","kind":"health-check",
    "language":"shell","script":"echo x","timeoutMs":5})");
  answered = scene.core().wait_answered("broken-1");
  REQUIRE(answered);
  CHECK(answered->rejected->code == protocol::RejectionCode::invalid);
}

TEST_CASE("an unknown run is answered as unknown") {
  Scene scene;
  scene.core().query("nobody");
  eventually("the status arrives",
             [&] { return !scene.core().ledger().run("nobody").statuses.empty(); });
  const auto run = scene.core().ledger().run("nobody");
  REQUIRE(run.statuses.size() == 1);
  CHECK(run.statuses[0].state == protocol::ScriptState::unknown);
}

TEST_CASE("eight scripts at a time all come back whole") {
  Scene scene;
  std::vector<std::string> ids;
  for (int i = 0; i < 24; ++i) {
    auto message = script("seq 1 2000; echo " + std::to_string(i));
    ids.push_back(message.run_id.text);
    scene.core().dispatch(std::move(message));
  }
  for (int i = 0; i < 24; ++i) {
    const auto run = scene.core().wait_finished(ids[static_cast<std::size_t>(i)]);
    REQUIRE(run);
    CHECK(run->violations.empty());
    CHECK(run->finished->outcome == "exited");
    CHECK(run->output_bytes == 8893 + std::to_string(i).size() + 1);
  }
}
