#include "sandbox/hints/hints.hpp"

#include "sandbox/hints/host_in_view.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace satellite::sandbox;

namespace {

HintInputs confined(std::string_view script, std::string_view output = {}) {
  HintInputs inputs;
  inputs.script = script;
  inputs.shell = "dash";
  inputs.host.has_own_files = true;
  inputs.output = output;
  return inputs;
}

bool begins(const std::vector<std::string>& hints, std::string_view beginning) {
  return std::any_of(hints.begin(), hints.end(),
                     [beginning](const std::string& hint) { return hint.starts_with(beginning); });
}

Plan plan_of(Engine engine, bool has_own_view, Egress egress) {
  Plan plan;
  plan.engine = engine;
  plan.has_own_view = has_own_view;
  plan.egress = egress;
  plan.promise.requested.enabled = true;
  return plan;
}

}  // namespace

TEST_CASE("a confined script that asks for the host's disks is told that it did not see them") {
  const auto hints = hints_for(confined("df -h /"));
  REQUIRE(hints.size() == 1);
  CHECK(hints.front().starts_with("df: disk figures are those of the sandbox"));
}

TEST_CASE("nothing is said of what a run does show, nor to a script that asks nothing") {
  CHECK(hints_for(confined("echo ok; uptime; free")).empty());
  auto inputs = confined("df; who");
  inputs.host[HostTopic::disks] = true;
  const auto hints = hints_for(inputs);
  CHECK(hints.size() == 1);
  CHECK(begins(hints, "who"));
}

TEST_CASE("beside the host's disks only the sandbox's own places are told") {
  const auto asked = [](std::string_view script) {
    auto inputs = confined(script);
    inputs.host[HostTopic::disks] = true;
    return hints_for(inputs);
  };
  CHECK(asked("df -P / /usr; check_disk -w 10% -c 5% -p /var/tmp -p /tmpfs").empty());
  CHECK(asked("echo x > /tmp/y; df /").empty());
  CHECK(begins(asked("df -P / /tmp"), "the size of /tmp is that of the sandbox's own"));
  CHECK(begins(asked("df /dev/shm"), "the size of /dev/shm is"));
  CHECK(begins(asked("df -P /etc"), "the size of /etc is"));
  CHECK(begins(asked("df /dev"), "the size of /dev is"));
}

TEST_CASE("what a script says itself counts before what its text lets expect") {
  const auto hints = hints_for(
      confined("df; ps; who; dpkg -l", "cat: /var/lib/app/state: No such file or directory"));
  CHECK(hints.size() == hints_max);
  CHECK(hints.front().starts_with("/var/lib/app/state: of the host's /var nothing is shown"));
  auto partly = confined("true", "cat: /var/lib/app: No such file or directory");
  partly.host.paths = {"/var/log"};
  CHECK(hints_for(partly).front().find("/var only what is granted") != std::string::npos);
}

TEST_CASE("many missing paths leave room for the answer that is the sandbox's") {
  const auto hints = hints_for(confined("df -P / /usr /home /var /boot",
                                        "tmpfs 8192 80 8112 1% /\n"
                                        "df: /home: No such file or directory\n"
                                        "df: /var: No such file or directory\n"
                                        "df: /boot: No such file or directory\n"));
  REQUIRE(hints.size() == hints_max);
  CHECK(hints[0].starts_with("/home: of the host's /home nothing is shown"));
  CHECK(hints[1].starts_with("df: disk figures are those of the sandbox"));
  CHECK(hints[2].starts_with("/var: "));
}

TEST_CASE("a path is told as missing only where the sandbox is why it may be missing") {
  const auto [output, is_told] = GENERATE(table<std::string, bool>({
      {"cat: /srv/x: No such file or directory", true},
      {"FileNotFoundError: [Errno 2] No such file or directory: '/opt/app/x'", true},
      {"sh: 1: /opt/x/check: not found", true},
      {"sh: 1: /proc/self/fd/3: /opt/x/check: not found", true},
      {"sh: 1: /proc/self/fd/3: check: not found", false},
      {"grep: /etc/app.conf: No such file or directory", true},
      {"cat: /usr/share/x: No such file or directory", false},
      {"cat: /tmp/x: No such file or directory", false},
      {"cat: /proc/1/x: No such file or directory", false},
      {"cat: x: No such file or directory", false},
      {"reading /srv/x", false},
      {"http://host/srv/x not found", false},
  }));
  INFO(output);
  CHECK(hints_for(confined("true", output)).size() == (is_told ? 1U : 0U));
  auto open = confined("true", output);
  open.host.has_own_files = false;
  CHECK(hints_for(open).empty());
}

TEST_CASE("a hint holds no control character of what a script wrote") {
  const auto hints =
      hints_for(confined("true", "cat: /srv/a\x1b[2J\x07: No such file or directory"));
  REQUIRE(hints.size() == 1);
  CHECK(hints.front().find('\x1b') == std::string::npos);
}

TEST_CASE("raw sockets are told to be out of reach by the program or by its message") {
  CHECK(begins(hints_for(confined("check_icmp -H 10.0.0.1")), "check_icmp: raw sockets"));
  CHECK(begins(hints_for(confined("true", "cannot create raw socket")), "raw sockets"));
}

TEST_CASE("a run shows what its layers leave of the host") {
  const auto none = host_in_view(plan_of(Engine::none, false, Egress::host), {});
  CHECK(none[HostTopic::disks]);
  CHECK(none[HostTopic::processes]);
  CHECK_FALSE(none[HostTopic::echo]);
  const auto files_of_the_host =
      host_in_view(plan_of(Engine::native, false, Egress::routeless), {});
  CHECK(files_of_the_host[HostTopic::disks]);
  CHECK_FALSE(files_of_the_host[HostTopic::processes]);
  CHECK_FALSE(files_of_the_host[HostTopic::loopback]);
  const auto confined_run = host_in_view(plan_of(Engine::bwrap, true, Egress::host), {});
  CHECK_FALSE(confined_run[HostTopic::disks]);
  CHECK(confined_run[HostTopic::loopback]);
  CHECK(confined_run.has_own_files);
  auto with_disks = plan_of(Engine::native, true, Egress::routeless);
  CHECK_FALSE(host_in_view(with_disks, {})[HostTopic::disks]);
  with_disks.shows_host_disks = true;
  with_disks.disks = {{"/", "ext4", "254:0"}, {"/data", "xfs", "254:1"}};
  // What was planned and not found mounted is not shown.
  CHECK_FALSE(host_in_view(with_disks, {"disk /"})[HostTopic::disks]);
  CHECK(host_in_view(with_disks, {"disk /", "disk /data"})[HostTopic::disks]);
}

TEST_CASE("a hint about a path without end is a short line") {
  const std::string path = '/' + std::string(4'000, 'x');
  const auto hints = hints_for(confined("true", "cat: " + path + ": No such file or directory"));
  REQUIRE(hints.size() == 1);
  CHECK(hints[0].size() <= 320);
  CHECK(hints[0].starts_with(path.substr(0, 90)));
}

TEST_CASE("a check that asks for a user's processes is told where owners are not known") {
  const auto asked = [](std::string_view script) {
    auto inputs = confined(script);
    inputs.host[HostTopic::processes] = true;
    inputs.host.tells_owners = false;
    return hints_for(inputs);
  };
  for (const char* script :
       {"check_procs -u root", "/usr/lib/nagios/plugins/check_procs -w 1:9 -u postgres -C x",
        "pgrep -u www-data nginx",
        "ps -U root -o pid=", "ps -eo user=,pid=", "top -b -n1 -u root"}) {
    INFO(script);
    CHECK(begins(asked(script), "this satellite cannot tell whose"));
  }
  for (const char* script : {"ps aux", "pgrep nginx", "check_procs -w 100 -C cron", "id -u"}) {
    INFO(script);
    CHECK(asked(script).empty());
  }
  auto known = confined("check_procs -u root");
  known.host[HostTopic::processes] = true;
  CHECK(hints_for(known).empty());
  CHECK(begins(hints_for(confined("check_procs -u root")), "check_procs: only the processes"));
}

TEST_CASE("a run without a pid namespace of its own shows processes, and root knows their owners") {
  auto plan = plan_of(Engine::native, true, Egress::routeless);
  plan.native.emplace();
  CHECK_FALSE(host_in_view(plan, {})[HostTopic::processes]);
  plan.native->shows_processes = true;
  CHECK(host_in_view(plan, {})[HostTopic::processes]);
  CHECK_FALSE(host_in_view(plan, {}).tells_owners);
  plan.native->root_owned = true;
  CHECK(host_in_view(plan, {}).tells_owners);
}

TEST_CASE("plugins that count what a sandbox has of its own are known by their names") {
  const auto [script, beginning] = GENERATE(table<std::string, std::string>({
      {"/usr/lib/nagios/plugins/check_network_errors", "check_network_errors: interfaces"},
      {"check_tcpcount -w 9", "check_tcpcount: interfaces"},
      {"check_nbprocs", "check_nbprocs: only the processes"},
      {"/usr/share/munin/plugins/threads", "threads: only the processes"},
      {"MUNIN_LIBDIR=/usr/share/munin /usr/share/munin/plugins/if_eth0", "if_: interfaces"},
      {"/usr/share/munin/plugins/tcp", "tcp: interfaces"},
      {"/usr/share/munin/plugins/df_abs", "df_abs: disk figures"},
      {"/usr/share/munin/plugins/load", ""},
      {"/opt/tools/processes", ""},
      {"cat /proc/1/cmdline", "/proc/[0-9]: only the processes"},
      {"cat /proc/stat", ""},
  }));
  INFO(script);
  const auto hints = hints_for(confined(script));
  CHECK(hints.empty() == beginning.empty());
  CHECK((beginning.empty() || begins(hints, beginning)));
}
