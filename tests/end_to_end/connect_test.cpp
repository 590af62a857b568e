#include "tests/end_to_end/scene.hpp"
#include "tests/support/sanitizer.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace satellite;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

Scene::Options lonely() {
  Scene::Options options = Scene::with_policy(default_policy);
  options.waits_until_connected = false;
  return options;
}

}  // namespace

TEST_CASE("the satellite announces what it can do and heartbeats carry its version") {
  Scene scene;
  const auto frame = scene.core().wait_for_frame("authenticate");
  REQUIRE(frame);
  const auto authenticate = nlohmann::json::parse(*frame);
  CHECK(authenticate.at("clientId") == "satellite-1");
  CHECK(authenticate.at("capabilities") ==
        nlohmann::json{"script-dispatch", "script-stream", "ordered-frames", "result-ack"});
  const auto beat = scene.core().wait_for_frame("heartbeat");
  REQUIRE(beat);
  const auto heartbeat = nlohmann::json::parse(*beat);
  CHECK(heartbeat.at("version").is_string());
  CHECK(heartbeat.at("uptimeSeconds") >= 14);
}

TEST_CASE("a wrong token is refused, said clearly, and not tried again at once") {
  Scene::Options options = lonely();
  options.environment["CHECKSTACK_SATELLITE_TOKEN"] = "csat_wrong";
  Scene scene(std::move(options));
  scene.wait_for_log("auth_failed");
  scene.wait_for_log("reconnect_waits");
  const std::string log = scene.satellite().log();
  CHECK(log.find("check both") != std::string::npos);
  CHECK(log.find("csat_wrong") == std::string::npos);
  // The slow retry: minutes, not the first second of a lost connection.
  CHECK((log.find("in=5m") != std::string::npos || log.find("in=6m") != std::string::npos));
  CHECK(scene.core().ledger().counters().authentications == 0);
}

TEST_CASE("a core that another authority signed is refused before the token is sent") {
  Scene::Options options = lonely();
  options.trusts_the_core = false;
  Scene scene(std::move(options));
  scene.wait_for_log("connect_failed");
  CHECK(scene.satellite().log().find("tls.ca_file") != std::string::npos);
  CHECK(scene.core().ledger().frames("authenticate").empty());
}

TEST_CASE("a certificate for another host is refused, one for an address is not") {
  Scene::Options options = lonely();
  options.core.certificate_request.names = {"core.example.org"};
  Scene scene(std::move(options));
  scene.wait_for_log("connect_failed");
  CHECK(scene.satellite().log().find("core.example.org") != std::string::npos);
  CHECK(scene.core().ledger().frames("authenticate").empty());

  Scene::Options right = Scene::with_policy(default_policy);
  right.core.certificate_request.names = {"127.0.0.1"};
  Scene control(std::move(right));
}

TEST_CASE("an expired certificate is refused, with the local clock beside it") {
  Scene::Options options = lonely();
  options.core.certificate_request.valid_from = -48h;
  options.core.certificate_request.valid_until = -24h;
  Scene scene(std::move(options));
  scene.wait_for_log("connect_failed");
  CHECK(scene.satellite().log().find("expired") != std::string::npos);
  CHECK(scene.core().ledger().frames("authenticate").empty());
}

TEST_CASE("a core that goes and comes back finds its satellite again") {
  Scene scene;
  CHECK(scene.run("echo before").standard_output == "before\n");
  scene.stop_core();
  scene.wait_for_log("disconnected");
  scene.start_core();
  REQUIRE(scene.core().wait_until_authenticated());
  CHECK(scene.run("echo after").standard_output == "after\n");
}

TEST_CASE("a run goes on while the core is away and all its output arrives afterwards, once") {
  Scene scene;
  auto message = script("echo start; sleep 2; seq 1 100000; echo end");
  const std::string id = message.run_id.text;
  scene.core().dispatch(std::move(message));
  REQUIRE(scene.core().wait_output(id, 6));
  scene.core().misbehave(devcore::Misbehaviour::reset);
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, 2));
  const auto run = scene.core().wait_finished(id);
  REQUIRE(run);
  CHECK(run->violations.empty());
  CHECK(run->finished->outcome == "exited");
  CHECK(run->output_bytes == 6 + 588'895 + 4);
  CHECK(run->standard_output.substr(run->standard_output.size() - 4) == "end\n");
}

TEST_CASE("a script that nobody reads blocks instead of growing the satellite") {
  Scene scene(Scene::with_policy(policy_with_output_cap(64U << 20U)));
  scene.core().set_acknowledge(false);
  constexpr std::size_t size = has_thread_sanitizer ? 4U << 20U : 32U << 20U;
  auto message = script("head -c " + std::to_string(size) + " /dev/zero | tr '\\0' a; echo end");
  message.timeout = 600s;
  const std::string id = message.run_id.text;
  scene.core().dispatch(std::move(message));
  // The window of one run: so much comes, and then nothing more until it is acknowledged.
  const auto window = scene.core().wait_output(id, (1U << 20U) - (64U << 10U));
  REQUIRE(window);
  CHECK(scene.core().ledger().run(id).output_bytes <= (1U << 20U));
  scene.core().set_acknowledge(true);
  const auto run = scene.core().wait_finished(id, 300s);
  REQUIRE(run);
  CHECK(run->output_bytes == size + 4);
}

TEST_CASE("nonsense from the core is survived, counted and logged without its text") {
  Scene scene;
  const auto what = GENERATE(devcore::Misbehaviour::garbage, devcore::Misbehaviour::deep_json);
  scene.core().misbehave(what);
  scene.wait_for_log("frame_invalid");
  for (const char* frame :
       {"null", "[]", "{\"type\":5}", "{\"type\":\"config_updated\"}", "{\"type\":\"hologram\"}",
        "{\"type\":\"authenticated\",\"satelliteId\":\"x\",\"assignments\":[]}"}) {
    scene.core().push_text(frame);
  }
  CHECK(scene.run("echo alive").standard_output == "alive\n");
  CHECK(scene.core().ledger().counters().authentications == 1);
}

TEST_CASE("a frame above the limit ends the connection, and the satellite comes back") {
  Scene scene;
  scene.core().misbehave(devcore::Misbehaviour::oversize_frame);
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, 2));
  CHECK(scene.satellite().log().find("limit_exceeded") != std::string::npos);
  CHECK(scene.run("echo back").standard_output == "back\n");
}

TEST_CASE("a core that never declared the extension cannot dispatch") {
  Scene::Options options = Scene::with_policy(default_policy);
  options.core.extensions = {};
  Scene scene(std::move(options));
  scene.core().dispatch(script("echo no"));
  scene.wait_for_log("message_ignored");
  CHECK(scene.core().ledger().frames("script_accepted").empty());
}

TEST_CASE("SIGTERM ends runs as interrupted, says so to the core, and exits with 0") {
  Scene scene;
  auto message = script("echo running; sleep 600");
  message.timeout = 600s;
  const std::string id = message.run_id.text;
  scene.core().dispatch(std::move(message));
  REQUIRE(scene.core().wait_output(id, 8));
  scene.satellite().signal(SIGTERM);
  const auto run = scene.core().wait_finished(id);
  REQUIRE(run);
  CHECK(run->finished->outcome == "interrupted");
  CHECK(scene.satellite().wait() == 0);
  REQUIRE(scene.core().wait_until_disconnected());
  const auto goodbyes = scene.core().ledger().goodbyes();
  REQUIRE_FALSE(goodbyes.empty());
  CHECK(goodbyes.back().find("1001") != std::string::npos);
}

TEST_CASE("SIGTERM while the core is away ends at once") {
  Scene::Options options = lonely();
  options.core.plans = {{devcore::Misbehaviour::stall_tls, 503, {}}};
  // The end must not be that of the attempt.
  options.environment["CHECKSTACK_SATELLITE_CONNECT_DEADLINE"] = "300";
  Scene scene(std::move(options));
  eventually("the satellite connects",
             [&] { return scene.core().ledger().counters().connections > 0; });
  scene.satellite().signal(SIGTERM);
  CHECK(scene.satellite().wait(40s) == 0);
}

TEST_CASE("a satellite whose launcher is gone exits for the service manager to start both again") {
  Scene scene;
  auto message = script("sleep 600");
  message.timeout = 600s;
  const std::string id = message.run_id.text;
  scene.core().dispatch(std::move(message));
  REQUIRE(scene.core().wait_started(id));
  const std::string task = "/proc/" + std::to_string(scene.satellite().pid()) + "/task/" +
                           std::to_string(scene.satellite().pid()) + "/children";
  std::ifstream children(task);
  pid_t launcher = 0;
  children >> launcher;
  REQUIRE(launcher > 1);
  ::kill(launcher, SIGKILL);
  const auto run = scene.core().wait_finished(id);
  REQUIRE(run);
  CHECK(run->finished->outcome == "interrupted");
  CHECK(scene.satellite().wait() == 3);
}

TEST_CASE("503 with Retry-After is honoured") {
  Scene::Options options = lonely();
  options.core.plans = {{devcore::Misbehaviour::http_status, 503, {{"Retry-After", "1"}}}};
  Scene scene(std::move(options));
  REQUIRE(scene.core().wait_until_authenticated());
  CHECK(scene.satellite().log().find("503") != std::string::npos);
}
