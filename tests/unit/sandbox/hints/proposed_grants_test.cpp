#include "sandbox/hints/proposed_grants.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

using namespace satellite::sandbox;

namespace {

HostPaths host_with(std::set<std::string> paths, std::set<std::string> sockets = {}) {
  HostPaths host;
  host.exists = [paths](const std::string& path) { return paths.contains(path); };
  host.is_socket = [sockets](const std::string& path) { return sockets.contains(path); };
  return host;
}

HostView proposed(std::string_view script, std::string_view output, const HostPaths& host) {
  HintInputs inputs;
  inputs.script = script;
  inputs.output = output;
  return propose_grants(inputs, host);
}

}  // namespace

TEST_CASE("what a script asks for is proposed as far as this host has it and may show it") {
  const auto host = host_with({"/var/log", "/var/lib/dpkg", "/srv/app", "/proc/1", "/run"},
                              {"/run/dbus/system_bus_socket", "/run/app.sock"});
  const auto view = proposed(
      "dpkg -l; who; cat /sys/class/x; systemctl is-active x; curl http://127.0.0.1:8080/ && nc "
      "localhost:9",
      "cat: /srv/app: No such file or directory\ncat: /gone: No such file or directory\n"
      "x: cannot open /run/app.sock\ncat: /run: not found\n",
      host);
  CHECK(view.paths == std::vector<std::string>{"/srv/app", "/var/lib/dpkg"});
  CHECK(view.sockets == std::vector<std::string>{"/run/app.sock", "/run/dbus/system_bus_socket"});
  CHECK(view.loopback == std::vector<std::uint16_t>{8080, 9});
  CHECK((view.sessions && view.system));
  CHECK(proposed("'/usr/lib/nagios/plugins/check_tcp' '-H' '127.0.0.1' '-p' '5432'", "", host)
            .loopback == std::vector<std::uint16_t>{5432});
  CHECK(proposed("check_tcp -H 10.0.0.1 -p 5432", "", host).loopback.empty());
}

TEST_CASE("a script that asks for disks or processes is proposed those") {
  CHECK(proposed("pgrep nginx", "", host_with({})).processes);
  const auto view = proposed("df -h /", "", host_with({"/var/log"}));
  CHECK((view.disks && !view.processes));
  CHECK(view.paths.empty());
}

TEST_CASE("nothing is proposed to a script that lacks nothing") {
  CHECK(proposed("echo ok", "", host_with({"/var/log"})).empty());
}
