#include "tests/support/script_bench.hpp"
#include "tests/support/test_network.hpp"
#include "tests/support/ways_out.hpp"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

// The way out of a run's own network, against servers in network namespaces made by the test.

namespace {

Policy allowing(std::vector<std::string> allow) {
  Policy policy = shipped_default_policy();
  policy.network.mode = NetworkMode::allowlist;
  policy.network.allow = std::move(allow);
  return policy;
}

std::string network_report(const Ran& ran) {
  std::string text = ran.standard_output + ran.standard_error + "outcome " +
                     std::string(name_of(ran.result.outcome)) + "\n";
  if (ran.result.error) text += "error " + *ran.result.error + "\n";
  for (const auto& layer : ran.result.sandbox.layers) {
    if (layer.layer != Layer::network) continue;
    text += "network " + std::string(name_of(layer.state)) + " by " + layer.mechanism + ": " +
            layer.evidence + "\n";
  }
  for (const auto& note : ran.result.sandbox.notes) text += "note " + note.note + "\n";
  return text;
}

/// One run in a bench of its own, with every way out that this user has.
std::string run_once(const std::string& text, const Policy& policy,
                     const std::optional<MacvlanSettings>& macvlan = std::nullopt,
                     Engine engine = Engine::bwrap) {
  ScriptBench bench(engine, ScriptBench::Egress::tried, macvlan);
  return network_report(bench.run(script(text), policy));
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

std::string attempts4() {
  return connecting_functions() +
         "tcp router 198.51.100.1 8\n"
         "udp router-udp 198.51.100.1 8\n"
         "tcp far 203.0.113.7 8\n"
         "tcp neighbour 198.51.100.2 1\n"
         "udp neighbour-udp 198.51.100.2 1\n"
         "tcp metadata 169.254.169.254 1\n";
}

void check_ipv4(const std::string& seen) {
  INFO(seen);
  CHECK(has_line(seen, "router yes"));
  CHECK(has_line(seen, "router-udp yes"));
  CHECK(has_line(seen, "far yes"));
  CHECK(has_line(seen, "neighbour no"));
  CHECK(has_line(seen, "neighbour-udp no"));
  CHECK(has_line(seen, "metadata no"));
}

const std::vector<std::string> ipv4_allow{"198.51.100.1", "203.0.113.0/24"};

}  // namespace

TEST_CASE("everything in the test network can be reached without a sandbox") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  ScriptBench bench(Engine::none, ScriptBench::Egress::untried, std::nullopt, std::nullopt,
                    RootScripts::allowed);
  Policy off = shipped_default_policy();
  off.enabled = false;
  std::string attempts = connecting_functions();
  for (const char* address :
       {TestNetwork::router, TestNetwork::neighbour, TestNetwork::far, TestNetwork::metadata,
        TestNetwork::router6, TestNetwork::far6, TestNetwork::metadata6, "127.0.0.1"}) {
    attempts += std::string("tcp t ") + address + " 8; udp u " + address + " 8\n";
  }
  const Ran ran = bench.run(script(attempts), off);
  INFO(ran.standard_output);
  CHECK_FALSE(holds(ran.standard_output, "no"));
  CHECK(holds(ran.standard_output, "t yes\nu yes\n"));
}

TEST_CASE("a macvlan uplink lets out what is allowed and nothing else") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const Engine engine = each_confining_engine();
  const std::string seen = run_once(attempts4(), allowing(ipv4_allow), network.macvlan(), engine);
  check_ipv4(seen);
  CHECK(holds(seen, "network enforced by " + std::string(name_of(engine)) +
                        ": own network namespace, macvlan + nftables"));
  CHECK(holds(seen, "rules read back"));
  CHECK(holds(seen, "default via 198.51.100.1 dev uplink0"));
}

TEST_CASE("slirp4netns under root lets out what is allowed and nothing else") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const Engine engine = each_confining_engine();
  const std::string seen = run_once(attempts4(), allowing(ipv4_allow), std::nullopt, engine);
  check_ipv4(seen);
  CHECK(holds(seen, "network enforced by " + std::string(name_of(engine)) +
                        ": own network namespace, slirp4netns + nftables"));
  CHECK(holds(seen, "default via 10.0.2.2 dev tap0"));
}

TEST_CASE("slirp4netns of an unprivileged satellite lets out what is allowed and nothing else") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const Engine engine = each_confining_engine();
  const std::string seen = as_uid_65532(
      [&] { return run_once(attempts4(), allowing(ipv4_allow), std::nullopt, engine); });
  check_ipv4(seen);
  CHECK(holds(seen, "network enforced by " + std::string(name_of(engine)) +
                        ": own network namespace, slirp4netns + nftables"));
  CHECK_FALSE(holds(seen, "owned by the script's user namespace"));
}

namespace {

/// Where a process stands and who owns its network, as the kernel tells it from outside.
std::string namespaces_of(pid_t pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  const UniqueFd own(::open((process + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd network(::open((process + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd owner(::ioctl(network.get(), NS_GET_USERNS));
  if (!own || !owner) return "unreadable";
  const auto inode = [](int fd) {
    struct stat facts {};
    return ::fstat(fd, &facts) == 0 ? facts.st_ino : 0;
  };
  if (inode(own.get()) == inode(owner.get())) return "owner";
  // The owner is an ancestor: NS_GET_PARENT leads to it, or to a namespace that we may not see.
  UniqueFd above(::ioctl(own.get(), NS_GET_PARENT));
  for (int steps = 1; above; ++steps) {
    if (inode(above.get()) == inode(owner.get())) return std::to_string(steps) + " below";
    above = UniqueFd(::ioctl(above.get(), NS_GET_PARENT));
  }
  return "beside";
}

/// From outside, our user may go into the user namespace that owns the network, where it is root.
std::string flush_from_outside(pid_t pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  const UniqueFd network(::open((process + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd owner(::ioctl(network.get(), NS_GET_USERNS));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setns(owner.get(), CLONE_NEWUSER) != 0 || ::setns(network.get(), CLONE_NEWNET) != 0) {
      ::_exit(9);
    }
    ::execl("/usr/sbin/nft", "nft", "flush", "ruleset", nullptr);
    ::_exit(8);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "flushed" : "not flushed";
}

}  // namespace

TEST_CASE("a script of an unprivileged satellite stands below the owner of its network") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const std::string seen = as_uid_65532([] {
    ScriptBench bench(Engine::native, ScriptBench::Egress::tried);
    const std::string marker = unique_marker();
    Listener listener;
    std::string found;
    listener.on_output = [&](const std::string&) {
      // While the shell becomes sleep its command line can be empty.
      if (!eventually([&] { return !processes_with(marker).empty(); })) return;
      for (const pid_t pid : processes_with(marker)) {
        found += namespaces_of(pid) + "\n" + flush_from_outside(pid) + "\n";
        ::kill(pid, SIGKILL);
      }
    };
    const Ran ran =
        bench.run(script("echo up; exec sleep " + marker), allowing(ipv4_allow), listener);
    return found + network_report(ran);
  });
  INFO(seen);
  // Its own, the run's, the network's.
  CHECK(seen.find("2 below\nflushed\nup\n") == 0);
}

TEST_CASE("IPv6 goes out over a macvlan where it is allowed, and its metadata address never") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const std::string attempts = connecting_functions() +
                               "tcp router 2001:db8:1::1 8\n"
                               "udp router-udp 2001:db8:1::1 8\n"
                               "tcp far 2001:db8:9::7 8\n"
                               "tcp neighbour 2001:db8:1::2 1\n"
                               "tcp metadata fd00:ec2::254 1\n"
                               "tcp ipv4 198.51.100.1 1\n";
  const std::string seen =
      run_once(attempts, allowing({"2001:db8:1::1", "2001:db8:9::/64", "fd00:ec2::/32"}),
               network.macvlan(), each_confining_engine());
  INFO(seen);
  CHECK(has_line(seen, "router yes"));
  CHECK(has_line(seen, "router-udp yes"));
  CHECK(has_line(seen, "far yes"));
  CHECK(has_line(seen, "neighbour no"));
  CHECK(has_line(seen, "metadata no"));
  CHECK(has_line(seen, "ipv4 no"));
}

TEST_CASE("metadata stays out of reach inside an allowed block, and opens with the block off") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const std::string attempts = connecting_functions() +
                               "tcp router 198.51.100.1 8\n"
                               "tcp metadata 169.254.169.254 2\n";
  Policy policy = allowing({"0.0.0.0/0"});
  const std::string denied = run_once(attempts, policy, network.macvlan());
  INFO(denied);
  CHECK(has_line(denied, "router yes"));
  CHECK(has_line(denied, "metadata no"));
  policy.network.deny_link_local_and_metadata = false;
  const std::string open = run_once(connecting_functions() + "tcp metadata 169.254.169.254 8\n",
                                    policy, network.macvlan());
  INFO(open);
  CHECK(has_line(open, "metadata yes"));
}

TEST_CASE("an unrestricted policy loses only the metadata addresses") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  Policy policy = shipped_default_policy();
  policy.network.mode = NetworkMode::unrestricted;
  policy.network.deny_link_local_and_metadata = true;
  const std::string attempts = connecting_functions() +
                               "tcp neighbour 198.51.100.2 8\n"
                               "tcp neighbour6 2001:db8:1::2 8\n"
                               "tcp metadata 169.254.169.254 1\n"
                               "tcp metadata6 fd00:ec2::254 1\n";
  const std::string seen = run_once(attempts, policy, network.macvlan());
  INFO(seen);
  CHECK(has_line(seen, "neighbour yes"));
  CHECK(has_line(seen, "neighbour6 yes"));
  CHECK(has_line(seen, "metadata no"));
  CHECK(has_line(seen, "metadata6 no"));
}

TEST_CASE("the host's loopback is not reachable through slirp4netns even where it is allowed") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const std::string attempts = connecting_functions() +
                               "tcp world 203.0.113.7 8\n"
                               "tcp host 10.0.2.2 1\n"
                               "udp host-udp 10.0.2.2 1\n"
                               "tcp names 10.0.2.3 1\n"
                               "tcp own 127.0.0.1 1\n";
  const Policy policy = allowing({"10.0.2.0/24", "203.0.113.7"});
  for (const bool root : {true, false}) {
    const auto body = [&] { return run_once(attempts, policy); };
    const std::string seen = root ? body() : as_uid_65532(body);
    INFO(seen);
    CHECK(has_line(seen, "world yes"));
    CHECK(has_line(seen, "host no"));
    CHECK(has_line(seen, "host-udp no"));
    CHECK(has_line(seen, "names no"));
    CHECK(has_line(seen, "own no"));
  }
}

TEST_CASE("a script cannot change its filter, its uplink or its routes") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const std::string attempts = connecting_functions() +
                               "PATH=$PATH:/usr/sbin:/sbin\n"
                               "nft flush ruleset 2>&1 | head -1\n"
                               "ip link set tap0 down 2>&1 || echo link kept\n"
                               "ip route add 192.0.2.0/24 dev tap0 2>&1 || echo routes kept\n"
                               "unshare -n true 2>/dev/null || echo no namespace\n"
                               "tcp router 198.51.100.1 8\n"
                               "tcp neighbour 198.51.100.2 1\n";
  for (const bool root : {true, false}) {
    const auto body = [&] { return run_once(attempts, allowing({"198.51.100.1"})); };
    const std::string seen = root ? body() : as_uid_65532(body);
    INFO(seen);
    CHECK(holds(seen, "Operation not permitted"));
    CHECK(has_line(seen, "link kept"));
    CHECK(has_line(seen, "routes kept"));
    CHECK(has_line(seen, "router yes"));
    CHECK(has_line(seen, "neighbour no"));
  }
}

TEST_CASE("loopback works inside, and answers come back") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const std::string seen = run_once(
      "cat /proc/net/dev; ls /sys/class/net >/dev/null; "
      "bash -c 'exec 3<>/dev/udp/127.0.0.1/9 && echo x >&3' && "
      "echo loopback yes\n",
      allowing({"198.51.100.1"}));
  INFO(seen);
  CHECK(has_line(seen, "loopback yes"));
}

TEST_CASE("a slirp4netns that dies marks the run, and nothing gets out any more") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  ScriptBench bench(Engine::bwrap, ScriptBench::Egress::tried);
  Listener listener;
  const std::string launcher = std::to_string(bench.launcher->pid());
  listener.on_output = [&](const std::string& text) {
    if (text.find("before yes") == std::string::npos) return;
    for (const pid_t pid : processes_with("slirp4netns")) {
      if (read_proc(pid, "status").find("PPid:\t" + launcher + "\n") != std::string::npos) {
        ::kill(pid, SIGKILL);
      }
    }
  };
  const Ran ran = bench.run(
      script(connecting_functions() + "tcp before 198.51.100.1 8\n"
                                      "while grep -q tap0 /proc/net/dev; do sleep 0.01; done\n"
                                      "tcp after 198.51.100.1 1\n"),
      allowing({"198.51.100.1"}), listener);
  const std::string seen = network_report(ran);
  INFO(seen);
  CHECK(has_line(seen, "before yes"));
  CHECK(has_line(seen, "after no"));
  CHECK(ran.result.outcome == Outcome::exited);
  CHECK(holds(seen, "note the program behind the run's uplink (slirp4netns) died"));
}

TEST_CASE("a policy that must be kept is refused where no way out works, and says why") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  ScriptBench bench(Engine::bwrap, ScriptBench::Egress::tried);
  bench.facts.net_egress_rootless = false;
  const Ran ran = bench.run(script("echo ran"), allowing({"198.51.100.1"}));
  CHECK(ran.result.outcome == Outcome::refused);
  CHECK(ran.standard_output.empty());
}

TEST_CASE("a way out that fails when the run needs it fails the run, not the filter") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  MacvlanSettings wrong = network.macvlan();
  wrong.interface = "absent0";
  ScriptBench bench(Engine::bwrap, ScriptBench::Egress::tried, wrong);
  CHECK_FALSE(bench.facts.net_egress_iface);
  bench.facts.net_egress_iface = "absent0";
  bench.facts.net_egress_addressing = wrong.text;
  const Ran ran = bench.run(script("echo ran"), allowing({"198.51.100.1"}));
  CHECK(ran.result.outcome == Outcome::setup_failed);
  CHECK(ran.standard_output.empty());
  REQUIRE(ran.result.error);
  CHECK(holds(*ran.result.error, "network_uplink"));
}

TEST_CASE("runs that share one macvlan address take turns, and leave nothing behind") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  ScriptBench bench(Engine::bwrap, ScriptBench::Egress::tried, network.macvlan());
  std::vector<RunRequest> requests;
  requests.reserve(4);
  for (int i = 0; i < 4; ++i) {
    requests.push_back(script(connecting_functions() + "tcp router 198.51.100.1 8"));
  }
  for (const Ran& ran : bench.run_together(std::move(requests), allowing({"198.51.100.1"}))) {
    INFO(name_of(ran.result.outcome) << ": " << ran.result.error.value_or(""));
    INFO(ran.standard_error);
    CHECK(ran.standard_output == "router yes\n");
  }
  const std::string pid = std::to_string(bench.launcher->pid());
  CHECK(read_proc(bench.launcher->pid(), "task/" + pid + "/children").empty());
}
