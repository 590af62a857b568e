// A satellite that is told to read its files again, and the service manager it speaks to.
#include "tests/end_to_end/check_scene.hpp"
#include "tests/support/notify_receiver.hpp"

#include <sys/stat.h>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>

using namespace satellite;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

/// Files that a test changes while the satellite runs.
class OperatorsFiles {
 public:
  OperatorsFiles() { token("csat_right"); }
  void token(const std::string& text) { put("token", text); }
  void settings(const std::string& text) { put("satellite.toml", text); }
  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }

  void put(const std::string& name, const std::string& text) {
    const std::string next = directory_.write("next", text);
    ::chmod(next.c_str(), 0600);
    REQUIRE(std::rename(next.c_str(), path(name).c_str()) == 0);
  }

 private:
  TempDir directory_;
};

Scene::Options with_files(const OperatorsFiles& files) {
  Scene::Options options = Scene::with_policy(default_policy);
  options.environment["CHECKSTACK_SATELLITE_CONFIG"] = files.path("satellite.toml");
  options.environment["CHECKSTACK_SATELLITE_TOKEN"] = "";
  options.environment["CHECKSTACK_SATELLITE_TOKEN_FILE"] = files.path("token");
  return options;
}

}  // namespace

TEST_CASE("SIGHUP takes changed settings, a wrong file changes nothing, and runs go on") {
  OperatorsFiles files;
  files.settings("[operator]\nautomation = true\n");
  Scene scene(with_files(files));
  files.settings("[operator]\nautomation = false\n[sandbox]\nprepared_runs = 1\n");
  scene.satellite().signal(SIGHUP);
  scene.wait_for_log("reload_needs_restart");
  CHECK(scene.satellite().log().find("sandbox.prepared_runs") != std::string::npos);
  auto forbidden = script("echo no");
  forbidden.kind = protocol::ScriptKind::automation;
  const std::string id = forbidden.run_id.text;
  scene.core().dispatch(std::move(forbidden));
  const auto answer = scene.core().wait_answered(id);
  REQUIRE(answer);
  REQUIRE(answer->rejected);
  CHECK(answer->rejected->code == protocol::RejectionCode::forbidden);
  files.settings("operator = 5\n");
  scene.satellite().signal(SIGHUP);
  scene.wait_for_log("reload_failed");
  CHECK(scene.run("echo alive").standard_output == "alive\n");
  CHECK(scene.core().ledger().counters().authentications == 1);
}

TEST_CASE("SIGHUP after a new token connects with it at once, and back when it was wrong") {
  OperatorsFiles files;
  files.settings("");
  Scene scene(with_files(files));
  files.token("csat_wrong");
  scene.satellite().signal(SIGHUP);
  eventually("the core refuses the new token",
             [&] { return scene.core().ledger().counters().refusals == 1; });
  // A refused satellite looks at the file by itself.
  files.token("csat_right");
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, 2));
}

TEST_CASE("SIGHUP ends the wait before the next attempt to connect") {
  OperatorsFiles files;
  files.settings("");
  Scene::Options options = with_files(files);
  options.core.plans = {{devcore::Misbehaviour::http_status, 503, {{"Retry-After", "600"}}}};
  options.waits_until_connected = false;
  Scene scene(std::move(options));
  scene.wait_for_log("reconnect_waits");
  scene.satellite().signal(SIGHUP);
  REQUIRE(scene.core().wait_until_authenticated());
}

TEST_CASE("an authority file that became wrong does not keep the satellite from its core") {
  OperatorsFiles files;
  files.settings("");
  Scene scene(with_files(files));
  std::ofstream(scene.authority_file()) << "hello";
  scene.satellite().signal(SIGHUP);
  scene.wait_for_log("authorities_unreadable");
  scene.stop_core();
  scene.start_core();
  REQUIRE(scene.core().wait_until_authenticated());
}

TEST_CASE("SIGHUP after a renewed client certificate connects with it, and no result is lost") {
  OperatorsFiles files;
  files.settings("");
  const auto authority = tls::TemporaryAuthority::create();
  tls::CertificateRequest request;
  request.names = {"satellite-1"};
  request.extended_key_usage = "clientAuth";
  const auto put = [&](const tls::CertifiedKey& pair) {
    files.put("client.pem", pair.certificate_pem);
    files.put("client.key", pair.key_pem);
  };
  put(*authority->sign(request));
  Scene::Options options = with_files(files);
  options.core.client_authority = authority->certificate_pem();
  options.environment["CHECKSTACK_SATELLITE_CERTIFICATE_FILE"] = files.path("client.pem");
  options.environment["CHECKSTACK_SATELLITE_KEY_FILE"] = files.path("client.key");
  Scene scene(std::move(options));
  auto message = script("sleep 2; echo kept");
  const std::string id = message.run_id.text;
  scene.core().dispatch(std::move(message));
  REQUIRE(scene.core().wait_started(id));
  // A key that others can read changes nothing.
  put(*authority->sign(request));
  ::chmod(files.path("client.key").c_str(), 0644);
  scene.satellite().signal(SIGHUP);
  scene.wait_for_log("client_certificate_unusable");
  CHECK(scene.core().ledger().counters().authentications == 1);
  put(*authority->sign(request));
  scene.satellite().signal(SIGHUP);
  scene.wait_for_log("client_certificate_changed");
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, 2));
  const auto finished = scene.core().wait_finished(id);
  REQUIRE(finished);
  CHECK(finished->standard_output == "kept\n");
  CHECK(finished->violations.empty());
  CHECK(scene.satellite().log().find("PRIVATE KEY") == std::string::npos);
}

TEST_CASE("SIGHUP after other pins connects anew, and a core with another key is not spoken to") {
  OperatorsFiles files;
  files.settings("");
  Scene scene(with_files(files));
  files.settings("[tls]\npins = [\"sha256/AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\"]\n");
  scene.satellite().signal(SIGHUP);
  scene.wait_for_log("is none of tls.pins");
  const std::string log = scene.satellite().log();
  const auto seen = log.find("seen: sha256/");
  REQUIRE(seen != std::string::npos);
  CHECK(scene.core().ledger().counters().authentications == 1);
  files.settings("[tls]\npins = [\"" + log.substr(seen + 6, 51) + "\"]\n");
  scene.satellite().signal(SIGHUP);
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, 2));
}

TEST_CASE("the service manager hears of the start, a reload, the watchdog and the stop") {
  OperatorsFiles files;
  files.settings("");
  NotifyReceiver socket(files.path("notify"));
  Scene::Options options = with_files(files);
  options.environment["NOTIFY_SOCKET"] = socket.name();
  // A message each two seconds: the socket holds a dozen, and nobody reads it during a start.
  options.environment["WATCHDOG_USEC"] = "4000000";
  ::chmod(socket.name().c_str(), 0666);
  Scene scene(std::move(options));
  eventually("the start", [&] { return socket.count("READY=1") == 1; });
  eventually("the watchdog", [&] { return socket.count("WATCHDOG=1") >= 2; });
  eventually("the connection", [&] { return socket.count("STATUS=connected to wss://") == 1; });
  scene.satellite().signal(SIGHUP);
  eventually("the reload", [&] {
    return socket.count("RELOADING=1\nMONOTONIC_USEC=") == 1 && socket.count("READY=1") == 2;
  });
  scene.satellite().signal(SIGTERM);
  CHECK(scene.satellite().wait() == 0);
  CHECK(socket.count("STOPPING=1") == 1);
}
