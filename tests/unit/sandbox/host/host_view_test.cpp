#include "sandbox/host/host_view.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <string>
#include <vector>

using namespace satellite;
using namespace satellite::sandbox;
using Paths = std::vector<std::string>;

TEST_CASE("granted paths are taken in one way of writing, each once") {
  const auto paths = parse_shown_paths(" /var/log/ , /opt//checks/./x,/var/log,, /srv ");
  REQUIRE(paths);
  CHECK(*paths == Paths{"/var/log", "/opt/checks/x", "/srv"});
  CHECK(parse_shown_paths("")->empty());
}

TEST_CASE("what must not be given away as a whole is refused as a path, with a reason") {
  const auto text =
      GENERATE(as<std::string>{}, "/", "//", "/run", "/run/", "/var/run", "/run/dbus", "/proc",
               "/proc/1", "/sys", "/sys/class", "/dev", "/dev/sda", "/tmp", "/tmp/x", "/root",
               "/run/user/0", "var/log", "./x", "/var/../etc", "/a/..", "/x\x07y");
  INFO(text);
  const auto paths = parse_shown_paths(text);
  REQUIRE_FALSE(paths);
  CHECK(paths.error().code == ErrorCode::invalid_input);
}

TEST_CASE("lists and paths have an end") {
  std::string many;
  for (int i = 0; i < 40; ++i) many += "/srv/" + std::to_string(i) + ",";
  CHECK(parse_shown_paths(many).error().code == ErrorCode::limit_exceeded);
  CHECK_FALSE(parse_shown_paths("/" + std::string(2'000, 'x')));
  std::string deep;
  for (int i = 0; i < 20; ++i) deep += "/d";
  CHECK_FALSE(parse_shown_paths(deep));
}

TEST_CASE("a socket may lie where a path may not") {
  CHECK(parse_shown_sockets("/run/dbus/system_bus_socket"));
  CHECK(parse_shown_sockets("/var/run/docker.sock"));
  CHECK_FALSE(parse_shown_sockets("/tmp/x.sock"));
  CHECK_FALSE(parse_shown_sockets("/"));
  CHECK_FALSE(warning_of_socket("/var/run/docker.sock").empty());
  CHECK(warning_of_socket("/run/app/own.sock").empty());
}

TEST_CASE("nothing of the satellite's own can be granted, above it or below") {
  HostView view;
  const Paths own{"/var/lib/satellite", "/etc/satellite/token"};
  for (const char* path : {"/var/lib/satellite", "/var/lib", "/var", "/var/lib/satellite/x",
                           "/etc/satellite", "/etc", "/etc/satellite/token"}) {
    view.paths = {path};
    INFO(path);
    CHECK(check_own_paths(view, own).error().code == ErrorCode::not_permitted);
  }
  for (const char* path : {"/var/lib/satellites", "/var/log", "/etc/apt", "/etc/satellite/tok"}) {
    view.paths = {path};
    INFO(path);
    CHECK(check_own_paths(view, own));
  }
}

TEST_CASE("health checks see what is granted unless the operator says otherwise") {
  HostView view;
  CHECK(view.is_for(RunKind::health_check));
  CHECK_FALSE(view.is_for(RunKind::automation));
  CHECK(parse_kinds("automation", view));
  CHECK_FALSE(view.is_for(RunKind::health_check));
  CHECK(view.is_for(RunKind::automation));
  CHECK(parse_kinds(" health-check , automation", view));
  CHECK(view.is_for(RunKind::health_check));
  CHECK_FALSE(parse_kinds("everything", view));
}

TEST_CASE("ports are numbers, or names with exactly one TCP port") {
  const std::string services =
      "# comment\nhttp 80/tcp www web # x\npostgresql\t5432/tcp\tpostgres\nsyslog 514/udp\n"
      "twice 1/tcp\ntwice 2/tcp\nboth 7/tcp\nboth 7/udp\nbroken x/tcp\n";
  const auto ports = parse_loopback_ports("8080, postgres,www,8080,both", services);
  REQUIRE(ports);
  CHECK(*ports == std::vector<std::uint16_t>{8080, 5432, 80, 7});
  for (const char* wrong :
       {"0", "65536", "-1", "1x", "syslog", "twice", "broken", "none", "80/tcp"}) {
    INFO(wrong);
    CHECK(parse_loopback_ports(wrong, services).error().code == ErrorCode::invalid_input);
  }
  std::string many;
  for (int i = 1; i < 30; ++i) many += std::to_string(i) + ",";
  CHECK(parse_loopback_ports(many, "").error().code == ErrorCode::limit_exceeded);
  CHECK_FALSE(warning_of_port(6379).empty());
  CHECK(warning_of_port(8080).empty());
}

TEST_CASE("the size of a state is written in words or bytes, within bounds, in whole pages") {
  CHECK(*parse_state_size("1MiB") == 1U << 20U);
  CHECK(*parse_state_size(" 64 KiB ") == 64U << 10U);
  CHECK(*parse_state_size("5000") == 8'192);
  CHECK(*parse_state_size("64MiB") == 64U << 20U);
  CHECK(*parse_state_size("") == 0);
  CHECK(*parse_state_size("none") == 0);
  const auto wrong = GENERATE(as<std::string>{}, "0", "1KiB", "65MiB", "1MB", "MiB", "-1", "1MiBx",
                              "18446744073709551615", "18446744073709551615MiB", "true");
  INFO(wrong);
  CHECK(parse_state_size(wrong).error().code == ErrorCode::invalid_input);
}

TEST_CASE("a size of a state is said as an operator writes it") {
  CHECK(state_size_text(1U << 20U) == "1MiB");
  CHECK(state_size_text(8'192) == "8KiB");
  CHECK(*parse_state_size(state_size_text(3U << 19U)) == 3U << 19U);
}
