#include "sandbox/launcher/network/packet_filter_load.hpp"
#include "sandbox/planning/egress_rules.hpp"
#include "tests/support/script_bench.hpp"
#include "tests/support/temp_dir.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <functional>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

/// Runs `body` in a child with a network namespace of its own; its exit code.
int in_new_network(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(::unshare(CLONE_NEWNET) == 0 ? body() : 100);
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int shell(const std::string& command) {
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

EgressRules each_rules() {
  return GENERATE(
      EgressRules{EgressRules::Kind::allowlist, {"10.0.0.0/8", "192.0.2.1", "0.0.0.0/0"}, true},
      EgressRules{EgressRules::Kind::allowlist, {"2001:db8::/33", "::/0", "203.0.113.0/25"}, false},
      EgressRules{EgressRules::Kind::metadata_only, {}, true});
}

enum class Sent { straight, by_stations };

/// One datagram to this host itself; 0 or the errno. With stations it names itself as the first.
int send_datagram(int family, Sent how) {
  const UniqueFd fd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in ipv4{};
  ipv4.sin_family = AF_INET;
  ipv4.sin_port = htons(7000);
  ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 ipv6{};
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = htons(7000);
  ipv6.sin6_addr = in6addr_loopback;
  if (how == Sent::by_stations) {
    const unsigned char source_route[8] = {131, 7, 4, 127, 0, 0, 1, 0};
    unsigned char segment_route[24] = {0, 2, 4};
    segment_route[23] = 1;  // ::1
    const int set = family == AF_INET ? ::setsockopt(fd.get(), IPPROTO_IP, IP_OPTIONS, source_route,
                                                     sizeof(source_route))
                                      : ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RTHDR,
                                                     segment_route, sizeof(segment_route));
    if (set != 0) return -errno;
  }
  const auto* const to = family == AF_INET ? reinterpret_cast<const sockaddr*>(&ipv4)
                                           : reinterpret_cast<const sockaddr*>(&ipv6);
  const socklen_t size = family == AF_INET ? sizeof(ipv4) : sizeof(ipv6);
  return ::sendto(fd.get(), "x", 1, 0, to, size) == 1 ? 0 : errno;
}

}  // namespace

TEST_CASE("a packet that names stations on its way is dropped, wherever its first one is") {
  if (!is_root()) return;
  const auto filter = packet_filter({EgressRules::Kind::allowlist, {"192.0.2.1", "::/0"}, false});
  REQUIRE(filter);
  const int family = GENERATE(AF_INET, AF_INET6);
  PacketFilter open = *filter;
  std::erase_if(open.rules, [](const FilterRule& rule) {
    return rule.match == FilterRule::Match::ip_options ||
           rule.match == FilterRule::Match::routing_header;
  });
  const auto send_behind = [family](const PacketFilter& rules, Sent how) {
    return in_new_network([&] {
      if (shell("ip link set lo up") != 0 || !load_packet_filter(rules)) return 101;
      return send_datagram(family, how);
    });
  };
  CHECK(send_behind(*filter, Sent::straight) == 0);
  CHECK(send_behind(*filter, Sent::by_stations) == EPERM);
  CHECK(send_behind(open, Sent::by_stations) == 0);  // without these two rules it leaves
}

TEST_CASE("what drops stations is the same in the kernel and in the text for people") {
  if (!is_root()) return;
  const EgressRules rules = each_rules();
  const TempDir files;
  const std::string text = files.write("ruleset", *egress_ruleset(rules));
  const std::string loaded = files.path().string() + "/loaded";
  const std::string read = files.path().string() + "/read";
  const std::string list = "nft list ruleset | head -5 >";
  CHECK(in_new_network([&] {
          return load_packet_filter(*packet_filter(rules)) ? shell(list + loaded) : 1;
        }) == 0);
  CHECK(in_new_network([&] { return shell("nft -f " + text + " && " + list + read); }) == 0);
  CHECK(shell("diff " + loaded + " " + read + " >&2") == 0);
}

TEST_CASE("a filter is loaded, found again in the kernel, and is what nft shows") {
  if (!is_root()) return;
  const EgressRules rules = each_rules();
  const auto filter = packet_filter(rules);
  REQUIRE(filter);
  CHECK(in_new_network([&] {
          if (!load_packet_filter(*filter)) return 1;
          if (!check_packet_filter(*filter)) return 2;
          return shell("nft list ruleset | grep -q 'table inet checkstack_egress'") == 0 ? 0 : 3;
        }) == 0);
}

TEST_CASE("the longest filter there can be is loaded and found again") {
  if (!is_root()) return;
  EgressRules rules{EgressRules::Kind::allowlist, {}, true};
  for (std::size_t i = 0; i < allow_entries_max; ++i) {
    rules.allow.push_back("10." + std::to_string(i / 2) + "." + std::to_string(i % 2 * 128) +
                          ".0/17");
  }
  for (std::size_t i = 0; i < blocked_addresses_max; ++i) {
    rules.blocked.push_back("2001:db8:" + std::to_string(i) + "::/48");
  }
  const auto filter = packet_filter(rules);
  REQUIRE(filter);
  CHECK(filter->rules.size() <= filter_rules_max);
  CHECK(in_new_network([&] {
          if (!load_packet_filter(*filter)) return 1;
          return check_packet_filter(*filter) ? 0 : 2;
        }) == 0);
  rules.blocked.push_back("192.0.2.1");
  CHECK_FALSE(packet_filter(rules));
}

TEST_CASE("the text of a ruleset is one that nft loads") {
  if (!is_root()) return;
  const auto text = egress_ruleset(each_rules());
  REQUIRE(text);
  const TempDir files;
  const std::string path = files.write("ruleset", *text);
  CHECK(in_new_network([&] { return shell("nft -f " + path); }) == 0);
}

TEST_CASE("a ruleset that was changed is not taken for the one that was asked for") {
  if (!is_root()) return;
  const auto filter =
      packet_filter({EgressRules::Kind::allowlist, {"192.0.2.1", "203.0.113.0/24"}, true});
  REQUIRE(filter);
  const std::string change = GENERATE(
      "flush ruleset", "add rule inet checkstack_egress output accept",
      "insert rule inet checkstack_egress output accept", "add table inet other",
      "add chain inet checkstack_egress other", "flush chain inet checkstack_egress output",
      "add chain inet checkstack_egress x { type filter hook output priority 1; }");
  const int ending = in_new_network([&] {
    if (!load_packet_filter(*filter) || !check_packet_filter(*filter)) return 1;
    if (shell("nft '" + change + "'") != 0) return 2;
    return check_packet_filter(*filter) ? 3 : 0;
  });
  // A table without chains filters nothing and opens nothing.
  CHECK(ending == (change == "add table inet other" ? 3 : 0));
}

TEST_CASE("every rule is compared: another address, prefix or verdict is noticed") {
  if (!is_root()) return;
  const auto loaded = packet_filter({EgressRules::Kind::allowlist, {"192.0.2.0/24"}, true});
  REQUIRE(loaded);
  for (std::size_t i = 0; i < loaded->rules.size(); ++i) {
    PacketFilter other = *loaded;
    FilterRule& rule = other.rules[i];
    rule.verdict = rule.verdict == FilterRule::Verdict::drop ? FilterRule::Verdict::accept
                                                             : FilterRule::Verdict::drop;
    CHECK(in_new_network([&] {
            if (!load_packet_filter(*loaded) || !check_packet_filter(*loaded)) return 1;
            return check_packet_filter(other) ? 2 : 0;
          }) == 0);
    if (rule.match != FilterRule::Match::destination) continue;
    other = *loaded;
    other.rules[i].destination.bytes[0] ^= 0x80U;
    CHECK(in_new_network([&] {
            if (!load_packet_filter(*loaded)) return 1;
            return check_packet_filter(other) ? 2 : 0;
          }) == 0);
    other = *loaded;
    other.rules[i].destination.prefix_length -= 1;
    CHECK(in_new_network([&] {
            if (!load_packet_filter(*loaded)) return 1;
            return check_packet_filter(other) ? 2 : 0;
          }) == 0);
  }
}
