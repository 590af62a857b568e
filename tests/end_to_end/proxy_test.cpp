// A satellite whose core is behind a proxy, told of it by the variables of the environment.
#include "tests/end_to_end/any_authority.hpp"
#include "tests/end_to_end/check_scene.hpp"
#include "tests/support/connect_proxy.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

Scene::Options behind(const ConnectProxy& proxy) {
  Scene::Options options = Scene::with_policy(default_policy);
  // Only the proxy knows the way: the name is in the core's certificate and nowhere else.
  options.host = "core.example.org";
  options.core.certificate_request.names = {"core.example.org"};
  options.environment["HTTPS_PROXY"] = proxy.url();
  options.waits_until_connected = false;
  return options;
}

std::map<std::string, std::string> with_core(std::map<std::string, std::string> further) {
  auto environment = shell_path;
  environment["CHECKSTACK_CORE_URL"] = "https://core.example.org";
  environment["CHECKSTACK_SATELLITE_CLIENT_ID"] = "satellite-1";
  environment["CHECKSTACK_SATELLITE_TOKEN"] = "csat_x";
  environment["CHECKSTACK_SATELLITE_CA_FILE"] = any_authority();
  further.merge(environment);
  return further;
}

}  // namespace

TEST_CASE("a core behind a proxy is reached, left and reached again, and no result is lost") {
  ConnectProxy proxy({});
  Scene scene(behind(proxy));
  proxy.lead_to(scene.core().port());
  REQUIRE(scene.core().wait_until_authenticated());
  CHECK(scene.run("echo through").standard_output == "through\n");
  for (std::size_t times = 2; times <= 4; ++times) {
    proxy.cut();
    REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, times));
    CHECK(scene.run("echo again").standard_output == "again\n");
  }
  CHECK(scene.satellite().log().find("through the proxy " + proxy.url()) != std::string::npos);
  // What the proxy saw of all that: where to.
  for (const std::string& question : proxy.questions()) {
    CHECK(question.starts_with("CONNECT core.example.org:"));
    CHECK(question.find("csat_right") == std::string::npos);
  }
}

TEST_CASE("a run that a proxy cuts off is reported by the next connection") {
  ConnectProxy proxy({});
  Scene scene(behind(proxy));
  proxy.lead_to(scene.core().port());
  REQUIRE(scene.core().wait_until_authenticated());
  proxy.behave({ProxyConduct::Kind::answer, "HTTP/1.1 503 Busy\r\n\r\n"});
  auto message = script("sleep 1; echo kept");
  const std::string id = message.run_id.text;
  scene.core().dispatch(std::move(message));
  REQUIRE(scene.core().wait_started(id));
  proxy.cut();
  scene.wait_for_log("HTTP 503");
  proxy.behave({});
  const auto finished = scene.core().wait_finished(id);
  REQUIRE(finished);
  CHECK(finished->standard_output == "kept\n");
  CHECK(finished->violations.empty());
}

TEST_CASE("a proxy's password that was refused is not shown again until its file changes") {
  ConnectProxy proxy({0, "127.0.0.1", {}, "dXNlcjpyaWdodA=="});  // user:right
  const TempDir directory;
  const std::string file = (directory.path() / "credentials").string();
  REQUIRE(tls::write_private_file(file, "user:wrong\n"));
  Scene::Options options = behind(proxy);
  options.environment["CHECKSTACK_SATELLITE_PROXY_CREDENTIALS_FILE"] = file;
  Scene scene(std::move(options));
  proxy.lead_to(scene.core().port());
  scene.wait_for_log("reconnect_waits");
  const std::string log = scene.satellite().log();
  INFO(log);
  CHECK(log.find("HTTP 407") != std::string::npos);
  CHECK(log.find("the proxy refused user and password") != std::string::npos);
  // Minutes, as for a token that the core refused; of a lost connection it would be a second.
  const auto waits = log.find("reconnect_waits");
  const bool waits_long = log.find("in=5m", waits) != std::string::npos ||
                          log.find("in=6m", waits) != std::string::npos;
  CHECK(waits_long);
  REQUIRE(tls::write_private_file(file + ".new", "user:right\n"));
  std::filesystem::rename(file + ".new", file);
  REQUIRE(scene.core().wait_until_authenticated());
  CHECK(proxy.questions().size() == 2);
}

TEST_CASE("a proxy that refuses is logged with its URL, its status and the stage") {
  ConnectProxy proxy({});
  proxy.behave({ProxyConduct::Kind::answer, "HTTP/1.1 403 Forbidden\r\n\r\n"});
  Scene scene(behind(proxy));
  scene.wait_for_log("connect_failed");
  const std::string log = scene.satellite().log();
  INFO(log);
  CHECK(log.find("proxy " + proxy.url() + ": it answered HTTP 403") != std::string::npos);
  CHECK(log.find("stage=proxy") != std::string::npos);
}

TEST_CASE("check-config tells which way leads to each core, and why") {
  struct Row {
    std::map<std::string, std::string> environment;
    std::vector<std::string> options;
    std::string words;
  };
  const Row row = GENERATE(
      Row{{}, {}, "/api/ws/satellite, directly (no proxy is set)\n"},
      Row{{{"HTTPS_PROXY", "http://proxy:3128"}},
          {},
          ", through the proxy http://proxy:3128 (environment HTTPS_PROXY)\n"},
      Row{{{"https_proxy", "proxy:3128"}},
          {},
          ", through the proxy http://proxy:3128 (environment https_proxy)\n"},
      Row{{{"HTTPS_PROXY", "http://one:1"}, {"CHECKSTACK_SATELLITE_PROXY", "http://two:2"}},
          {},
          "http://two:2 (environment CHECKSTACK_SATELLITE_PROXY)\n"},
      Row{{{"HTTPS_PROXY", "http://one:1"}},
          {"--proxy", "https://three:3"},
          "https://three:3 (option --proxy)\n"},
      Row{{{"HTTPS_PROXY", "http://one:1"}}, {"--proxy", "none"}, ", directly (proxy.url is none"},
      Row{{{"HTTPS_PROXY", "http://one:1"}, {"NO_PROXY", "localhost, .example.org"}},
          {},
          ", directly (environment NO_PROXY has \".example.org\")\n"},
      Row{{{"HTTPS_PROXY", "http://one:1"}, {"NO_PROXY", ".example.org"}},
          {"--proxy-bypass", "other.example"},
          "through the proxy http://one:1"},
      Row{{{"HTTPS_PROXY", "http://one:1"}, {"NO_PROXY", "a/b"}},
          {},
          "warning: environment NO_PROXY"},
      Row{{{"HTTP_PROXY", "http://one:1"}}, {}, ", directly (no proxy is set)\n"});
  std::vector<std::string> arguments{"check-config"};
  arguments.insert(arguments.end(), row.options.begin(), row.options.end());
  const auto result = run_satellite(arguments, with_core(row.environment));
  INFO(result.standard_output << result.standard_error);
  CHECK(result.exit_code == 0);
  CHECK(result.standard_output.find(row.words) != std::string::npos);
}

TEST_CASE("a password in HTTPS_PROXY is refused with the remedy and shown nowhere") {
  for (const std::string command : {"check-config", "run"}) {
    const auto result =
        run_satellite({command}, with_core({{"HTTPS_PROXY", "http://someone:geheim@proxy:3128"}}));
    INFO(command << ": " << result.standard_output << result.standard_error);
    CHECK(result.exit_code == 2);
    CHECK(result.standard_error.find("environment HTTPS_PROXY") != std::string::npos);
    CHECK(result.standard_error.find("proxy.credentials_file") != std::string::npos);
    CHECK((result.standard_output + result.standard_error).find("geheim") == std::string::npos);
  }
}
