#include "agent/config/host_view_settings.hpp"

#include "agent/config/sandbox_settings.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/agent/config/config_fixture.hpp"

#include <sys/stat.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;

namespace {

Result<LoadedConfig> with_section(const std::string& section) {
  const TempDir directory;
  ConfigSources sources = minimal();
  sources.file = directory.write("satellite.toml", "[host_view]\n" + section);
  ::chmod(sources.file->c_str(), 0600);
  return load_config(sources, SettingsUse::connects);
}

}  // namespace

TEST_CASE("nothing of the host is shown unless the operator says so, and then what he says") {
  const auto nothing = with_section("");
  REQUIRE(nothing);
  CHECK(nothing->config.host_view.empty());
  const auto loaded = with_section(
      "paths = [\"/var/log/\", \"/srv\"]\nprograms = [\"/opt/checks\"]\n"
      "sockets = [\"/run/app.sock\"]\nloopback = [8080, 6379]\ndisks = true\nsystem = true\n"
      "processes = true\n"
      "sessions = true\nkinds = [\"health-check\", \"automation\"]\nstate = \"1MiB\"\n");
  REQUIRE(loaded);
  CHECK(loaded->config.host_view.state_bytes == 1U << 20U);
  const auto view = runner_settings(loaded->config).host_view;
  CHECK(view.paths == std::vector<std::string>{"/var/log", "/srv"});
  CHECK(view.programs == std::vector<std::string>{"/opt/checks"});
  CHECK(view.sockets == std::vector<std::string>{"/run/app.sock"});
  CHECK(view.loopback == std::vector<std::uint16_t>{8080, 6379});
  CHECK((view.disks && view.system && view.sessions && view.for_health_checks &&
         view.for_automation && view.processes));
  // Of a known port, and of what command lines tell.
  CHECK(host_view_warnings(loaded->config).size() == 2);
}

TEST_CASE("what is granted is told by its settings, and where nothing is granted nothing is") {
  const auto nothing = with_section("kinds = [\"automation\"]\n");
  REQUIRE(nothing);
  CHECK(granted_settings(nothing->config.host_view).empty());
  const auto loaded = with_section(
      "paths = [\"/var/log\", \"/srv\"]\nloopback = [8080, 6379]\n"
      "disks = true\nstate = \"64KiB\"\n");
  REQUIRE(loaded);
  using Granted = std::vector<std::pair<std::string, std::string>>;
  CHECK(granted_settings(loaded->config.host_view) == Granted{{"host_view.paths", "/var/log, /srv"},
                                                              {"host_view.loopback", "8080, 6379"},
                                                              {"host_view.disks", "true"},
                                                              {"host_view.state", "64KiB"},
                                                              {"host_view.kinds", "health-check"}});
}

TEST_CASE("a grant that must not be is refused with its setting and its place") {
  const auto section = GENERATE(
      as<std::string>{}, "paths = [\"/\"]", "paths = [\"/run\"]", "paths = [\"var/log\"]",
      "paths = [\"/var/lib/checkstack-satellite\"]", "paths = [\"/var/lib\"]",
      "programs = [\"/etc\"]", "sockets = [\"/tmp/x\"]", "loopback = [0]",
      "loopback = [\"no-such-service\"]", "system = \"maybe\"", "kinds = [\"all\"]",
      "state = \"1MB\"", "state = \"1GiB\"", "state = true", "disks = \"maybe\"", "processes = 1");
  INFO(section);
  const auto loaded = with_section(section + "\n");
  REQUIRE_FALSE(loaded);
  CHECK(mentions(loaded.error(), "host_view."));
  CHECK(mentions(loaded.error(), "satellite.toml:2"));
}

TEST_CASE("a socket below a granted path is told, since read-only does not close it") {
  const TempDir directory;
  const auto place = directory.path() / "granted" / "below";
  std::filesystem::create_directories(place);
  REQUIRE(::mknod((place / "door.sock").c_str(), S_IFSOCK | 0666, 0) == 0);
  directory.write("granted/file", "x");
  Config config;
  config.host_view.paths = {(directory.path() / "granted").string()};
  const auto warnings = host_view_warnings(config);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings.front().find("below/door.sock") != std::string::npos);
}
