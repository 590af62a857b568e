// The look-ups of the program against name servers of this test's own, in network and mount
// namespaces of its own: what stands in /etc decides, as on the hosts where the satellite runs.
#include "agent/connection/core_url.hpp"
#include "agent/connection/resolve.hpp"
#include "tests/names/name_server.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/temp_dir.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <stdexcept>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

namespace asio = boost::asio;
using Endpoints = std::vector<asio::ip::tcp::endpoint>;

/// What a host has in /etc, and the families it has addresses of.
struct Host {
  std::string resolv = "nameserver 127.0.0.1\n";
  std::string hosts = "127.0.0.1 localhost\n";
  std::string nsswitch = "hosts: files dns\n";
  bool has_ipv6 = true;
};

const char* const desktop_nsswitch =
    "passwd: files systemd\n"
    "hosts: mymachines mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] files myhostname "
    "dns\n";

void command(const std::string& text) {
  if (std::system(text.c_str()) != 0) throw std::runtime_error("failed: " + text);
}

/// Puts `text` over a file of /etc, for this process and its children alone.
void lay_over(const TempDir& directory, const std::string& name, const std::string& text) {
  const auto source = directory.write(name, text);
  const std::string target = "/etc/" + name;
  if (::access(target.c_str(), F_OK) != 0) throw std::runtime_error("this host has no " + target);
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    throw std::runtime_error("cannot mount over " + target);
  }
}

void become_host(const TempDir& directory, const Host& host) {
  take_own_mounts();
  if (::unshare(CLONE_NEWNET) != 0) throw std::runtime_error("unshare");
  command(
      "ip link set lo up && ip link add d0 type veth peer name d1 && ip link set d1 up && ip link "
      "set d0 up");
  command("ip addr add 192.0.2.1/24 dev d0");
  // A link gets an address of IPv6 by itself.
  command(host.has_ipv6 ? "ip -6 addr add 2001:db8::1/64 dev d0 nodad"
                        : "for link in d0 d1; do"
                          " echo 1 >/proc/sys/net/ipv6/conf/$link/disable_ipv6; done");
  lay_over(directory, "resolv.conf", host.resolv);
  lay_over(directory, "hosts", host.hosts);
  lay_over(directory, "nsswitch.conf", host.nsswitch);
}

asio::awaitable<void> answer_into(std::optional<Result<Endpoints>>& answer, HostAndPort wanted,
                                  Resolver resolver, std::chrono::milliseconds time_max) {
  const auto deadline = std::chrono::steady_clock::now() + time_max;
  auto found = co_await resolve(std::move(wanted), resolver, deadline);
  answer = std::move(found);
}

Result<Endpoints> look_up(const std::string& name, Resolver resolver,
                          std::chrono::milliseconds time_max) {
  auto address = parse_core_url("https://" + name);
  if (!address) return address.error();
  asio::io_context context;
  std::optional<Result<Endpoints>> answer;
  asio::co_spawn(context, answer_into(answer, address->host_and_port(), resolver, time_max),
                 [](std::exception_ptr) {});
  context.run();
  return *std::move(answer);
}

/// `192.0.2.10 2001:db8::10`, or `not_found: …`.
std::string text_of(const Result<Endpoints>& found) {
  if (!found) return std::string(name_of(found.error().code)) + ": " + found.error().message;
  std::string text;
  for (const auto& endpoint : *found) {
    text += (text.empty() ? "" : " ") + endpoint.address().to_string();
  }
  return text;
}

/// The servers that every situation may name: a good one on both loopbacks, one that never answers,
/// a slow one, one that refuses EDNS. Nobody listens on 127.0.0.9.
struct Servers {
  NameServer good{"127.0.0.1", NameServerHabit::good};
  NameServer good6{"::1", NameServerHabit::good};
  NameServer silent{"127.0.0.3", NameServerHabit::silent};
  NameServer slow{"127.0.0.4", NameServerHabit::slow};
  NameServer old{"127.0.0.5", NameServerHabit::refuses_edns};
};

std::string on_host(const Host& host, const std::function<std::string(Servers&)>& body) {
  const TempDir directory;
  return in_child([&] {
    become_host(directory, host);
    Servers servers;
    return body(servers);
  });
}

std::string asked_on(const Host& host, const std::string& name,
                     Resolver resolver = Resolver::builtin,
                     std::chrono::milliseconds time_max = 20s) {
  return on_host(host, [&](Servers&) { return text_of(look_up(name, resolver, time_max)); });
}

bool may_test() {
  return require_layer("root", ::geteuid() == 0, "name servers listen on port 53");
}

Host with_resolv(const std::string& resolv) {
  Host host;
  host.resolv = resolv;
  return host;
}

Host with_hosts(const std::string& hosts, const std::string& resolv = "nameserver 127.0.0.1\n") {
  Host host = with_resolv(resolv);
  host.hosts += hosts;
  return host;
}

Host with_nsswitch(const std::string& nsswitch) {
  Host host;
  host.nsswitch = nsswitch;
  return host;
}

Host with_ipv4_only(const std::string& resolv = "nameserver 127.0.0.1\n") {
  Host host = with_resolv(resolv);
  host.has_ipv6 = false;
  return host;
}

struct Situation {
  const char* title;
  Host host;
  std::string name;
  std::string expected;  ///< the addresses in their order, or how the error begins
};

void check(const std::vector<Situation>& situations) {
  for (const Situation& situation : situations) {
    INFO(situation.title);
    const std::string answer = asked_on(situation.host, situation.name);
    INFO(answer);
    const bool is_error = situation.expected.find(':') == situation.expected.size() - 1;
    CHECK((is_error ? answer.starts_with(situation.expected) : answer == situation.expected));
  }
}

const std::string both = "2001:db8::10 192.0.2.10";
const std::string three_domains =
    "nameserver 127.0.0.1\nsearch nowhere.test other.test example.test\noptions ndots:2\n";

}  // namespace

TEST_CASE("the hosts file and the search list are followed as every program of the host does") {
  if (!may_test()) return;
  const std::string search = "nameserver 127.0.0.1\nsearch example.test\n";
  check({
      {"both families in the hosts file",
       with_hosts("192.0.2.200 core.lan\n2001:db8::200 core.lan\n"), "core.lan",
       "2001:db8::200 192.0.2.200"},
      {"IPv4 alone in the hosts file, though the server has both",
       with_hosts("192.0.2.200 core\n", search), "core", "192.0.2.200"},
      {"one label", with_resolv(search), "core", both},
      {"one dot, ndots 1", with_resolv(search), "a.b", "192.0.2.42"},
      {"three domains, ndots 2: the first that has the name", with_resolv(three_domains), "core",
       "192.0.2.77"},
      {"three domains, ndots 2 and one dot", with_resolv(three_domains), "a.b", "192.0.2.42"},
      {"closing dot", with_resolv(three_domains), "core.example.test.", both},
      {"dns before files: this program asks the hosts file first, always",
       [] {
         Host host = with_nsswitch("hosts: dns files\n");
         host.hosts += "192.0.2.200 core.example.test\n";
         return host;
       }(),
       "core.example.test", "192.0.2.200"},
  });
}

TEST_CASE("resolv.conf may be written in every way that distributions write it") {
  if (!may_test()) return;
  check({
      {"an IPv6 server, an IPv6 name", with_resolv("nameserver ::1\n"), "v6.example.test",
       "2001:db8::6"},
      {"an IPv6 server, both families", with_resolv("nameserver ::1\n"), "core.example.test", both},
      {"empty: the server of this host", with_resolv(""), "core.example.test", both},
      {"no line end", with_resolv("nameserver 127.0.0.1\nsearch example.test"), "core", both},
      {"CR LF", with_resolv("# x\r\nnameserver 127.0.0.1\r\n"), "core.example.test", both},
      {"a link-local server with its zone beside the good one",
       with_resolv("nameserver 127.0.0.1\nnameserver fe80::1%lo\n"), "core.example.test", both},
      {"EDNS asked for", with_resolv("nameserver 127.0.0.1\noptions edns0\n"), "core.example.test",
       both},
  });
}

TEST_CASE("what a name server answers is told apart") {
  if (!may_test()) return;
  check({
      {"an alias", Host{}, "alias.example.test", both},
      {"no such name", Host{}, "none.example.test", "not_found:"},
      {"a name without addresses", Host{}, "nodata.example.test", "not_found:"},
      {"the server fails", Host{}, "servfail.example.test", "unavailable:"},
      {"nobody listens", with_resolv("nameserver 127.0.0.9\n"), "core.example.test",
       "unavailable:"},
      {"localhost", Host{}, "localhost", "127.0.0.1 ::1"},
      {"a name below localhost", Host{}, "x.localhost", "not_found:"},
      {"onion", Host{}, "x.onion", "not_found:"},
      {"an old server that refuses EDNS", with_resolv("nameserver 127.0.0.5\n"),
       "core.example.test", both},
      {"the same, and EDNS asked for: found by no program of the host",
       with_resolv("nameserver 127.0.0.5\noptions edns0\n"), "core.example.test", "not_found:"},
  });
}

TEST_CASE("families that this host has no address of are not asked for, and come in turn") {
  if (!may_test()) return;
  check({
      {"both routed", Host{}, "core.example.test", both},
      {"IPv4 alone", with_ipv4_only(), "core.example.test", "192.0.2.10"},
      {"AAAA is never answered, and nobody asks", with_ipv4_only(), "halfdead.example.test",
       "192.0.2.99"},
  });
}

TEST_CASE(
    "slow and silent name servers cost what resolv.conf says, and no more than the deadline") {
  if (!may_test()) return;
  check({
      {"slow", with_resolv("nameserver 127.0.0.4\n"), "core.example.test", both},
      {"the first is silent",
       with_resolv("nameserver 127.0.0.3\nnameserver 127.0.0.1\noptions timeout:1\n"),
       "core.example.test", both},
      {"silent, one attempt of a second",
       with_resolv("nameserver 127.0.0.3\noptions timeout:1 attempts:1\n"), "core.example.test",
       "unavailable:"},
  });
  const auto begun = std::chrono::steady_clock::now();
  const std::string answer = asked_on(with_resolv("nameserver 127.0.0.3\noptions timeout:30\n"),
                                      "core.example.test", Resolver::builtin, 100ms);
  CHECK(answer.starts_with("timed_out:"));
  CHECK(std::chrono::steady_clock::now() - begun < 25s);
}

TEST_CASE("an answer that is too long for a datagram is fetched over TCP") {
  if (!may_test()) return;
  const auto counted = [](Servers& servers, const std::string& name) {
    const auto found = look_up(name, Resolver::builtin, 20s);
    return std::to_string(found ? found->size() : 0) + " by " +
           (servers.good.questions_by_udp() > 0 ? "udp " : "") +
           (servers.good.questions_by_tcp() > 0 ? "tcp" : "");
  };
  CHECK(on_host({}, [&](Servers& servers) { return counted(servers, "many.example.test"); }) ==
        "16 by udp tcp");
  CHECK(on_host(with_resolv("nameserver 127.0.0.1\noptions use-vc\n"), [&](Servers& servers) {
          return counted(servers, "core.example.test");
        }) == "2 by tcp");
}

TEST_CASE("services of nsswitch.conf that need a library are not asked, and named on failure") {
  if (!may_test()) return;
  const Host desktop = with_nsswitch(desktop_nsswitch);
  CHECK(asked_on(desktop, "v4.example.test") == "192.0.2.4");
  const std::string failed = asked_on(desktop, "none.example.test");
  CHECK(failed.starts_with("not_found: DNS: looking up none.example.test"));
  CHECK(failed.find("not asked: mymachines, mdns4_minimal, resolve, myhostname of "
                    "/etc/nsswitch.conf (connection.resolver = \"getent\" asks them)") !=
        std::string::npos);
  CHECK(asked_on({}, "none.example.test").find("not asked") == std::string::npos);
}

TEST_CASE("an edit of nsswitch.conf while the program runs changes nothing") {
  if (!may_test()) return;
  CHECK(on_host({}, [](Servers&) {
          const auto first = text_of(look_up("v4.example.test", Resolver::builtin, 20s));
          const TempDir directory;
          lay_over(directory, "nsswitch.conf", "hosts: nonexistent_service\n");
          return first + ", " + text_of(look_up("core.example.test", Resolver::builtin, 20s));
        }) == "192.0.2.4, " + both);
}

TEST_CASE("getent answers for the host's own services where the operator wants it") {
  if (!may_test()) return;
  const Host host = with_hosts("192.0.2.200 core.lan\n");
  CHECK(asked_on(host, "core.lan", Resolver::getent) == "192.0.2.200");
  CHECK(asked_on(host, "v4.example.test", Resolver::getent) == "192.0.2.4");
  CHECK(asked_on(host, "none.example.test", Resolver::getent).starts_with("not_found:"));
  const auto begun = std::chrono::steady_clock::now();
  CHECK(asked_on(with_resolv("nameserver 127.0.0.3\noptions timeout:30\n"), "core.example.test",
                 Resolver::getent, 100ms)
            .starts_with("timed_out:"));
  CHECK(std::chrono::steady_clock::now() - begun < 25s);
}
