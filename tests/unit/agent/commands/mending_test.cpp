#include "agent/commands/mending.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;

namespace {

using Commands = std::vector<std::string>;

MendingPlace debian() {
  MendingPlace place;
  place.package_tool = "apt-get";
  place.signs.systemd_runs = true;
  place.unit = "checkstack-satellite.service";
  return place;
}

Examination lacking(const std::string& name, const std::string& remedy = "do something") {
  Examination seen;
  seen.is_enforceable = true;
  seen.capabilities.push_back({{"seccomp", true, "works", ""}});
  seen.capabilities.push_back({{name, false, "is not here", remedy}});
  return seen;
}

Examination failing(WayStep step) {
  Examination seen;
  seen.is_enforceable = true;
  CoreTrial way;
  way.steps = {{"dns", WayStep::State::done, {}, {}}, std::move(step)};
  seen.ways = {way, way};
  return seen;
}

Commands commands_of(const Examination& seen, const MendingPlace& place) {
  const auto mends = mends_for(seen, place);
  REQUIRE(mends.size() == 1);
  return mends.front().commands;
}

}  // namespace

TEST_CASE("what a package mends is installed by the host's own program") {
  struct Row {
    std::string tool, finding;
    Commands commands;
  };
  const Row row = GENERATE(
      Row{"apt-get", "wrapper", {"apt-get install bubblewrap"}},
      Row{"apt-get", "program_bwrap", {"apt-get install bubblewrap"}},
      Row{"dnf", "module_runtime", {"dnf install nodejs"}}, Row{"apk", "shell", {"apk add dash"}},
      Row{"pacman", "shell", {"pacman -S dash"}},
      Row{"zypper",
          "egress_slirp4netns",
          {"zypper install slirp4netns", "modprobe tun", "modprobe nf_tables"}},
      Row{"", "wrapper", {}}, Row{"apt-get", "egress_macvlan", {}}, Row{"apt-get", "landlock", {}});
  MendingPlace place = debian();
  place.package_tool = row.tool;
  CHECK(commands_of(lacking(row.finding), place) == row.commands);
}

TEST_CASE("namespaces are permitted by what forbids them, and never from within a container") {
  MendingPlace place = debian();
  const Examination seen = lacking("native_engine");
  CHECK(commands_of(seen, place).empty());
  place.signs.user_namespaces_forbidden = true;
  CHECK(
      commands_of(seen, place) ==
      Commands{"sysctl -w user.max_user_namespaces=15000",
               "echo user.max_user_namespaces=15000 >>/etc/sysctl.d/60-checkstack-satellite.conf"});
  place.signs.user_namespaces_forbidden = false;
  place.signs.apparmor_restricts = true;
  CHECK(commands_of(seen, place).empty());
  place.apparmor_profile = "/usr/share/checkstack-satellite/apparmor.profile";
  CHECK(commands_of(seen, place).back() ==
        "apparmor_parser -r /etc/apparmor.d/checkstack-satellite");
  place.signs.container = true;
  CHECK(commands_of(seen, place).empty());
}

TEST_CASE("control groups are delegated to the unit that is in use") {
  MendingPlace place = debian();
  const Examination seen = lacking("cgroup_v2");
  const Commands commands = commands_of(seen, place);
  REQUIRE(commands.size() == 4);
  CHECK(commands.back() == "systemctl restart checkstack-satellite.service");
  place.unit.clear();
  CHECK(commands_of(seen, place).empty());
  place = debian();
  place.signs.cgroup_v1 = true;
  CHECK(commands_of(seen, place).empty());
  place.package_tool = "dnf";
  CHECK(commands_of(seen, place).front().starts_with("grubby "));
}

TEST_CASE("a step on the way is mended once for all cores, with paths in quotes of a shell") {
  const MendingPlace place = debian();
  const WayStep refused{"token", WayStep::State::failed, "refused", refused_token_remedy};
  CHECK(commands_of(failing(refused), place) == Commands{"checkstack-satellite rotate-token"});
  MendingPlace elsewhere = place;
  elsewhere.settings_file = "/tmp/it's; reboot";
  CHECK(commands_of(failing(refused), elsewhere) ==
        Commands{"checkstack-satellite rotate-token --config '/tmp/it'\\''s; reboot'"});
  const WayStep open{"token", WayStep::State::failed, "can be read by others", "correct it"};
  Examination seen = failing(open);
  seen.open_token_file = "/etc/a b/token";
  CHECK(commands_of(seen, place) == Commands{"chmod 600 '/etc/a b/token'"});
  const WayStep clock{"clock", WayStep::State::failed, "90 seconds behind", "set the clock"};
  CHECK(commands_of(failing(clock), place) == Commands{"timedatectl set-ntp true"});
}

TEST_CASE("no command holds a word that a core, a proxy or the kernel said") {
  const std::string hostile = "$(reboot) `reboot`; reboot\nreboot";
  for (const std::string name :
       {"dns", "tcp", "proxy", "tls", "upgrade", "clock", "token", "trust"}) {
    const Examination seen = failing({name, WayStep::State::failed, hostile, hostile});
    const auto mends = mends_for(seen, debian());
    REQUIRE(mends.size() == 1);
    for (const std::string& command : mends.front().commands) {
      CHECK(command.find("reboot") == std::string::npos);
    }
  }
}

TEST_CASE("what works, and what nobody needs, has nothing to mend") {
  CHECK(mends_for(lacking("program_nsjail", ""), debian()).empty());
  CHECK(mends_for(failing({"tls", WayStep::State::done, {}, "soon"}), debian()).empty());
  const auto needed = [](bool is_needed) {
    Examination seen = lacking("wrapper");
    seen.capabilities.back().is_needed = is_needed;
    return mends_for(seen, debian()).front().is_needed;
  };
  CHECK(needed(true));
  CHECK_FALSE(needed(false));
}

TEST_CASE("what is needed comes first, and what one command mends is proposed once") {
  Examination seen = failing({"token", WayStep::State::failed, "refused", refused_token_remedy});
  seen.capabilities.push_back({{"javascript_runtimes", false, "", "install one"}});
  seen.capabilities.push_back({{"module_runtime", false, "", "install one of them"}});
  const auto mends = mends_for(seen, debian());
  REQUIRE(mends.size() == 2);
  CHECK(mends[0].finding == "token");
  CHECK(mends[1].finding == "javascript_runtimes");
}

TEST_CASE("the system's authorities are a package, own ones are the operator's file") {
  CHECK(commands_of(lacking("certificate_authorities", "install ca-certificates, or name one"),
                    debian()) == Commands{"apt-get install ca-certificates"});
  CHECK(commands_of(lacking("certificate_authorities", "correct the file"), debian()).empty());
}
