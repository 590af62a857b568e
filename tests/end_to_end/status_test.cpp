// What a satellite tells about itself: over its socket, over HTTP, and to a browser.
#include "protocol/vocabulary/unique_fd.hpp"
#include "tests/end_to_end/check_scene.hpp"
#include "tests/support/require_layer.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

using namespace satellite;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

/// `status` with the settings of this satellite.
CommandResult ask(const Scene& scene, const std::vector<std::string>& options = {}) {
  std::vector<std::string> words{"status"};
  words.insert(words.end(), options.begin(), options.end());
  auto environment = shell_path;
  environment["CHECKSTACK_SATELLITE_STATE_DIRECTORY"] = scene.state_directory().string();
  return run_satellite(words, environment);
}

json status_of(const Scene& scene) {
  const CommandResult answer = ask(scene, {"--json"});
  INFO(answer.standard_error);
  return json::parse(answer.standard_output);
}

/// Where it says that it listens on loopback.
std::string http_address(Scene& scene) {
  scene.wait_for_log("status_listens at=127.");
  const std::string log = scene.satellite().log();
  const std::string words = "status_listens at=";
  const auto begin = log.find("127.", log.find(words + "127."));
  return log.substr(begin, log.find('\n', begin) - begin);
}

std::string get(const std::string& address, const std::string& path) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  peer.sin_port =
      htons(static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1))));
  REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&peer), sizeof peer) == 0);
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\n\r\n";
  REQUIRE(::send(fd.get(), request.data(), request.size(), 0) ==
          static_cast<ssize_t>(request.size()));
  std::string text;
  std::array<char, 4096> piece{};
  for (ssize_t got = 1; got > 0;) {
    got = ::recv(fd.get(), piece.data(), piece.size(), 0);
    if (got > 0) text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return text;
}

Scene::Options with_http() {
  Scene::Options options = with_checks({shell_check("cfg", "echo alive", 1)});
  options.environment["CHECKSTACK_SATELLITE_STATUS_HTTP"] = "127.0.0.1:0";
  return options;
}

}  // namespace

TEST_CASE("status is ready with 0 once connected, and tells runs, policy, operator and outbox") {
  Scene::Options options = Scene::with_policy(default_policy);
  options.environment["CHECKSTACK_SATELLITE_TIMEOUT_MAX"] = "60";
  options.environment["CHECKSTACK_SATELLITE_HOST_VIEW_PATHS"] = "/usr/share";
  Scene scene(std::move(options));
  const auto run = scene.run("exit 3");
  eventually("it is ready", [&] { return ask(scene).exit_code == 0; });
  const json status = status_of(scene);
  CHECK(status.at("ready") == true);
  CHECK(status.at("processId") == scene.satellite().pid());
  CHECK(status.at("connection").at("state") == "connected");
  CHECK(status.at("connection").at("authentications") == 1);
  CHECK(status.at("policy").at("valid") == true);
  CHECK(status.at("operator").at("operator.timeout_max") == "60 s");
  CHECK(status.at("operator").at("host_view.paths") == "/usr/share");
  CHECK(status.at("runs").at("ended").at("dispatched").at("exited") == 1);
  const json& latest = status.at("runs").at("recent").at(0);
  CHECK(latest.at("exitCode") == 3);
  CHECK(latest.at("setupSeconds").get<double>() > 0);
  CHECK(latest.at("sandbox").get<std::string>().find("network=") != std::string::npos);
  CHECK(status.at("outbox").at("directory") == scene.state_directory().string());
  CHECK(ask(scene).standard_output.find(": ready\n") != std::string::npos);
}

TEST_CASE("status is 1 with the reason while the core is away, and 4 without a satellite") {
  Scene scene;
  scene.stop_core();
  // Between two waits it tries, and says nothing of a next attempt.
  CommandResult away;
  eventually("it says that it waits", [&] {
    away = ask(scene);
    return away.standard_output.find("next attempt") != std::string::npos;
  });
  CHECK(away.exit_code == 1);
  CHECK(away.standard_output.find("not_connected") != std::string::npos);
  const std::string socket = (scene.state_directory() / "status.sock").string();
  CHECK(std::filesystem::exists(socket));
  scene.satellite().signal(SIGTERM);
  CHECK(scene.satellite().wait() == 0);
  CHECK_FALSE(std::filesystem::exists(socket));
  const CommandResult gone = ask(scene);
  CHECK(gone.exit_code == 4);
  CHECK(gone.standard_error.find(socket) != std::string::npos);
  CHECK(gone.standard_output.empty());
}

TEST_CASE("a satellite that was killed leaves a socket behind that the next one replaces") {
  Scene scene;
  scene.end_satellite(SIGKILL);
  CHECK(ask(scene).exit_code == 4);
  scene.start_satellite();
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, 2));
  eventually("it is ready", [&] { return ask(scene).exit_code == 0; });
}

TEST_CASE("a satellite that may not have its socket works without it and says so") {
  const TempDir directory;
  Scene::Options options = Scene::with_policy(default_policy);
  options.environment["CHECKSTACK_SATELLITE_STATUS_SOCKET"] = directory.write("file", "mine");
  Scene scene(std::move(options));
  CHECK(scene.satellite().log().find("status_unavailable") != std::string::npos);
  CHECK(scene.run("echo alive").standard_output == "alive\n");
}

TEST_CASE("peers of the status socket that say nothing do not keep the satellite from its work") {
  Scene scene;
  std::vector<UniqueFd> silent;
  const std::string path = (scene.state_directory() / "status.sock").string();
  for (int i = 0; i < 40; ++i) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    silent.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    REQUIRE(::connect(silent.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof address) ==
            0);
  }
  CHECK(scene.run("echo alive").standard_output == "alive\n");
  silent.clear();
  eventually("it answers again", [&] { return ask(scene).exit_code == 0; });
}

TEST_CASE("over HTTP there are liveness, readiness and metrics, for this host's own names alone") {
  Scene scene(with_http());
  nth_result(scene, "cfg");
  const std::string address = http_address(scene);
  CHECK(get(address, "/livez").starts_with("HTTP/1.1 200 "));
  eventually("it is ready", [&] { return get(address, "/readyz").starts_with("HTTP/1.1 200 "); });
  const std::string metrics = get(address, "/metrics");
  CHECK(metrics.find("checkstack_satellite_connected 1\n") != std::string::npos);
  CHECK(metrics.find("checkstack_satellite_runs_total{kind=\"check\",outcome=\"exited\"} ") !=
        std::string::npos);
  CHECK(metrics.find("checkstack_satellite_run_setup_seconds_count 0\n") == std::string::npos);
  scene.stop_core();
  eventually("it is not ready",
             [&] { return get(address, "/readyz").starts_with("HTTP/1.1 503 "); });
  CHECK(get(address, "/livez").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("the page fills itself in a browser under its own security policy") {
  constexpr const char* browser = "/usr/bin/chromium";
  if (!require_layer("chromium", ::access(browser, X_OK) == 0,
                     "there is no chromium (Debian: chromium)")) {
    return;
  }
  if (!require_layer("chromium", ::geteuid() == 0, "its profile needs a home directory")) return;
  Scene scene(with_http());
  nth_result(scene, "cfg");
  const std::string address = http_address(scene);
  const TempDir files;
  const std::string output = (files.path() / "dom").string();
  const std::string command = std::string("timeout 120 ") + browser +
                              " --headless=new --no-sandbox --disable-gpu --no-first-run"
                              " --disable-dev-shm-usage --user-data-dir=" +
                              (files.path() / "profile").string() +
                              " --virtual-time-budget=4000 --dump-dom http://" + address + "/ >" +
                              output + " 2>" + (files.path() / "err").string();
  CHECK(std::system(command.c_str()) == 0);
  std::ifstream stream(output);
  std::ostringstream dom;
  dom << stream.rdbuf();
  INFO(dom.str());
  CHECK(dom.str().find("data-asked=\"yes\"") != std::string::npos);
  CHECK(dom.str().find(">ready</span>") != std::string::npos);
  CHECK(dom.str().find("<polyline class=\"curve\"") != std::string::npos);
  CHECK(dom.str().find("exit 0") != std::string::npos);
  CHECK(dom.str().find("network allowlist") != std::string::npos);
}
