#include "sandbox/planning/account.hpp"

#include "sandbox/planning/build_plan.hpp"

#include "unit/sandbox/hosts.hpp"

#include <catch2/catch.hpp>

using namespace satellite::sandbox;
using namespace satellite::sandbox::test;

namespace {

constexpr std::string_view passwd =
    "# comment\n"
    "root:x:0:0:root:/root:/bin/bash\n"
    "broken:x:12x:1::/:/bin/sh\n"
    ":x:13:13::/:/bin/sh\n"
    "short:x:14\n"
    "monitor:x:998:998:Monitoring,,,:/var/lib/monitor:/usr/sbin/nologin\n"
    "second:x:998:998::/:/bin/sh\n"
    "last:x:1000:1000::/home/last:/bin/zsh";

HostPaths host_with_passwd(std::string passwd_text, std::string host_name = "db7") {
  HostPaths host = imagined_host();
  host.public_text = [text = std::move(passwd_text)](const std::string& path) {
    return path == "/etc/passwd" ? std::optional(text) : std::nullopt;
  };
  host.host_name = std::move(host_name);
  return host;
}

std::map<std::string, std::string> environment_of(const Policy& policy, const HostFacts& facts,
                                                  const HostPaths& host, RunInputs inputs) {
  inputs.base_environment = {{"USER", "agent"}, {"SHELL", "/bin/zsh"}, {"HOSTNAME", "stale"}};
  inputs.agent_identity = Identity{4'711, 4'711};
  const auto decision = build_plan({policy, false}, facts, std::move(inputs), host);
  REQUIRE(std::holds_alternative<Plan>(decision));
  return std::get<Plan>(decision).environment;
}

}  // namespace

TEST_CASE("an account is found by its number, and broken lines are none") {
  const auto monitor = find_account(passwd, 998);
  REQUIRE(monitor);
  CHECK(monitor->name == "monitor");
  CHECK(monitor->home == "/var/lib/monitor");
  CHECK(monitor->shell == "/usr/sbin/nologin");
  CHECK(find_account(passwd, 1'000)->shell == "/bin/zsh");
  CHECK(find_account(passwd, 14)->name == "short");
  for (const std::uint32_t uid : {12U, 13U, 65'532U}) CHECK_FALSE(find_account(passwd, uid));
}

TEST_CASE("a shell that only refuses to log in is not handed on") {
  CHECK(usable_shell({"a", "/", "/bin/zsh"}) == "/bin/zsh");
  for (const char* shell : {"/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "", "zsh"}) {
    CHECK(usable_shell({"a", "/", shell}) == "/bin/sh");
  }
}

TEST_CASE("a confined run has the accounts of root, its script and nobody") {
  CHECK(passwd_text(Identity{998, 997}, "/tmp/run") ==
        "root:x:0:0:root:/:/usr/sbin/nologin\n"
        "script:x:998:997::/tmp/run:/bin/sh\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
  CHECK(group_text(Identity{998, 997}) == "root:x:0:\nscript:x:997:\nnogroup:x:65534:\n");
  CHECK(find_account(passwd_text(Identity{0, 0}, "/tmp/run"), 0)->name == "root");
  CHECK_FALSE(find_account(passwd_text(std::nullopt, "/tmp/run"), 998));
}

TEST_CASE("a line is added to the hosts file only where the host's own does not name it") {
  CHECK(hosts_addition("127.0.0.1 localhost\n10.0.0.7\tDB7.example.com DB7\n", "db7").empty());
  CHECK(hosts_addition("127.0.0.1 localhost db7 # ours", "db7").empty());
  CHECK(hosts_addition("127.0.0.1 localhost\n", "db7") == "127.0.1.1\tdb7\n");
  CHECK(hosts_addition("127.0.0.1 localhost", "db7") == "\n127.0.1.1\tdb7\n");
  CHECK(hosts_addition("# 10.0.0.7 db7\n10.0.0.7 db70 xdb7\ndb7 other\n", "db7") ==
        "127.0.1.1\tdb7\n");
  CHECK(hosts_addition("", "db7.example.com") == "127.0.1.1\tdb7.example.com\n");
  for (const char* name : {"", "a b", "a\n10.0.0.1 bank.example", "(none)"}) {
    CHECK(hosts_addition("", name).empty());
  }
}

TEST_CASE("USER, LOGNAME, SHELL and HOSTNAME are the script's") {
  using Variables = std::map<std::string, std::string>;
  const auto confined = environment_of(shipped_default_policy(), unprivileged_bwrap_host(),
                                       host_with_passwd({}), run_in("/tmp/run"));
  CHECK(confined == Variables{{"HOME", "/tmp/run"},
                              {"HOSTNAME", "db7"},
                              {"LOGNAME", "script"},
                              {"SHELL", "/bin/sh"},
                              {"TMPDIR", "/tmp"},
                              {"USER", "script"}});
  const auto open = policy_of(R"({"privilege":{"mode":"drop-to-uid"},"filesystem":{"mode":"off"},
                                  "network":{"mode":"unrestricted",
                                             "denyLinkLocalAndMetadata":false}})");
  auto dropped = run_in("/tmp/run");
  dropped.default_identity = Identity{998, 998};
  auto seen =
      environment_of(open, root_launcher_host(), host_with_passwd(std::string(passwd)), dropped);
  CHECK(seen.at("USER") == "monitor");
  CHECK(seen.at("LOGNAME") == "monitor");
  CHECK(seen.at("SHELL") == "/bin/sh");
  // No account: the number, which tools take for a name.
  seen = environment_of(open, root_launcher_host(), host_with_passwd({}), dropped);
  CHECK(seen.at("USER") == "998");
  CHECK(seen.at("SHELL") == "/bin/sh");
  // The agent's own user, who may come from a directory service: it knows best.
  seen = environment_of(open, unprivileged_bwrap_host(), host_with_passwd({}), run_in("/tmp/run"));
  CHECK(seen.at("USER") == "agent");
  CHECK(seen.at("LOGNAME") == "agent");
  CHECK(seen.at("SHELL") == "/bin/zsh");
}

TEST_CASE("with the sandbox switched off the environment stays the agent's") {
  Policy off = shipped_default_policy();
  off.enabled = false;
  const auto seen =
      environment_of(off, unprivileged_bwrap_host(), host_with_passwd({}), run_in({}));
  CHECK(seen.at("USER") == "agent");
  CHECK(seen.at("HOSTNAME") == "stale");
}

TEST_CASE("what the run asks for goes before what it is told of its account") {
  auto inputs = run_in("/tmp/run");
  inputs.environment = {{"USER", "wanted"}, {"SHELL", "/bin/bash"}};
  const auto seen = environment_of(shipped_default_policy(), unprivileged_bwrap_host(),
                                   host_with_passwd({}), std::move(inputs));
  CHECK(seen.at("USER") == "wanted");
  CHECK(seen.at("SHELL") == "/bin/bash");
}

TEST_CASE("beside a run's own accounts the host's are named by name and number alone") {
  const std::string own = passwd_text(Identity{65532, 65532}, "/tmp/x");
  const std::string hosts =
      "root:x:0:0:Root:/root:/bin/bash\n"
      "postgres:secret:104:110:Data:/var/lib/postgresql:/bin/bash\n"
      "script:x:1000:1000::/home/script:/bin/sh\n"
      "other:x:65532:65532::/:/bin/sh\n"
      "broken\n:x:5:5:::\nodd name:x:7:7:::\nletters:x:seven:7:::\n"
      "tom:x:1001:1001:Tom:/home/tom:/bin/bash";
  CHECK(accounts_beside(own, hosts) ==
        "postgres:x:104:110::/:/usr/sbin/nologin\ntom:x:1001:1001::/:/usr/sbin/nologin\n");
  CHECK(accounts_beside(group_text(Identity{65532, 65532}),
                        "root:x:0:\nadm:x:4:tom,root\nnogroup:x:65534:\nssl:!:110:postgres\n") ==
        "adm:x:4:\nssl:x:110:\n");
  CHECK(accounts_beside(own, "").empty());
  std::string many;
  for (int i = 0; i < 5'000; ++i) {
    many += "user" + std::to_string(i) + ":x:" + std::to_string(i + 2'000) + ":1::/:/bin/sh\n";
  }
  const auto cut = accounts_beside(own, many);
  CHECK(cut.size() <= 32U << 10U);
  CHECK(cut.ends_with("/usr/sbin/nologin\n"));
}
