// E32 and E39 of the list: a run with a way out, and what lies just beside it.
#include "tests/escape/escape_bench.hpp"
#include "tests/escape/open_room.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/ways_out.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <stdexcept>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

std::string attempts_plainly(const std::vector<std::string>& all) {
  std::string text;
  for (const auto& words : all) text += words + ": " + attempt_plainly(words).said + "\n";
  return text;
}

/// The name server that the host asks is one on its own loopback, as where systemd-resolved runs.
void ask_names_on_loopback(const TempDir& files) {
  const std::string file = files.write("resolv.conf", "nameserver 127.0.0.1\n");
  ::chmod(files.path().c_str(), 0755);
  take_own_mounts();
  if (::mount(file.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) != 0) {
    throw std::runtime_error("cannot cover /etc/resolv.conf");
  }
}

[[noreturn]] void become_open_slirp4netns(int host, int inner, int ready) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const std::string ready_option = "--ready-fd=" + std::to_string(ready);
  const std::string place = "/proc/self/fd/" + std::to_string(inner);
  for (const int fd : {inner, ready}) ::fcntl(fd, F_SETFD, 0);
  const UniqueFd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  for (const int fd : {1, 2}) ::dup2(nowhere.get(), fd);
  if (::setns(host, CLONE_NEWNET) == 0) {
    ::execlp("slirp4netns", "slirp4netns", "--configure", ready_option.c_str(), "--netns-type=path",
             place.c_str(), "tap0", nullptr);
  }
  ::_exit(127);
}

/// The same attempts behind the same program without its refusals: what they are good for.
std::string attempts_behind_an_open_slirp4netns(const std::vector<std::string>& all) {
  return in_child([&all]() -> std::string {
    const UniqueFd host(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (::unshare(CLONE_NEWNET) != 0) return "no namespace";
    const UniqueFd inner(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
    const UniqueFd ready(ends[0]);
    UniqueFd writing(ends[1]);
    const pid_t helper = ::fork();
    if (helper == 0) become_open_slirp4netns(host.get(), inner.get(), writing.get());
    writing.reset();
    pollfd waiting{ready.get(), POLLIN, 0};
    char byte = 0;
    const bool is_up =
        ::poll(&waiting, 1, 10'000) == 1 && ::read(ready.get(), &byte, 1) == 1 && byte == '1';
    const std::string text = is_up ? attempts_plainly(all) : "slirp4netns did not come up";
    ::kill(helper, SIGKILL);
    ::waitpid(helper, nullptr, 0);
    return text;
  });
}

}  // namespace

TEST_CASE("the host's loopback is out of reach behind every address of slirp4netns", "[egress]") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  probe_path();  // made here, so that no child has to take it away
  const Way way = GENERATE(from_range(every_slirp4netns()));
  const Engine engine = each_present_engine();
  INFO(name_of(way) << ", " << sandbox::name_of(engine));
  const TempDir files;
  const std::string seen = in_child([&] {
    ask_names_on_loopback(files);
    return by(way, [&] {
      EscapeBench bench(engine, std::nullopt, ScriptBench::Egress::tried);
      // The addresses that slirp4netns stands for are allowed: its own refusal has to hold.
      return bench.attempt_together(
          {"connect-tcp 10.0.2.2 7000", "ask-udp 10.0.2.2 7000", "connect-tcp 10.0.2.3 53",
           "ask-udp 10.0.2.3 53", "connect-tcp 127.0.0.1 7000", "connect-tcp ::1 7000",
           "connect-tcp 203.0.113.7 7000"},
          allowing_only(engine, {"10.0.2.0/24", "203.0.113.7"}));
    });
  });
  CHECK(seen ==
        "connect-tcp 10.0.2.2 7000: ENETUNREACH\nask-udp 10.0.2.2 7000: ETIMEDOUT\n"
        "connect-tcp 10.0.2.3 53: ETIMEDOUT\nask-udp 10.0.2.3 53: ETIMEDOUT\n"
        "connect-tcp 127.0.0.1 7000: ECONNREFUSED\nconnect-tcp ::1 7000: EADDRNOTAVAIL\n"
        "connect-tcp 203.0.113.7 7000: ok\n");
  // The listeners are there: with the host's network, and behind a slirp4netns that refuses
  // nothing.
  CHECK(attempts_plainly({"connect-tcp 127.0.0.1 7000", "connect-tcp ::1 7000",
                          "ask-udp 127.0.0.1 53", "connect-tcp 127.0.0.1 53"}) ==
        "connect-tcp 127.0.0.1 7000: ok\nconnect-tcp ::1 7000: ok\n"
        "ask-udp 127.0.0.1 53: ok\nconnect-tcp 127.0.0.1 53: ok\n");
  CHECK(in_child([&] {
          ask_names_on_loopback(files);
          return attempts_behind_an_open_slirp4netns(
              {"connect-tcp 10.0.2.2 7000", "ask-udp 10.0.2.2 7000", "connect-tcp 10.0.2.3 53",
               "ask-udp 10.0.2.3 53"});
        }) ==
        "connect-tcp 10.0.2.2 7000: ok\nask-udp 10.0.2.2 7000: ok\n"
        "connect-tcp 10.0.2.3 53: ok\nask-udp 10.0.2.3 53: ok\n");
}

// An entry of an allowlist is an address or a block, and nothing else: what is allowed is allowed
// on every port and for UDP as for TCP, so QUIC to an allowed host is let out as its TCP is. Of an
// address that no entry holds nothing is reached, by neither. Other transports are given to nobody.
TEST_CASE("an allowed address is allowed for TCP and UDP alike, and its neighbour for neither",
          "[egress]") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  probe_path();
  const Way way = GENERATE(from_range(every_way()));
  const Engine engine = each_present_engine();
  INFO(name_of(way) << ", " << sandbox::name_of(engine));
  const std::vector<std::string> attempts{
      "connect-tcp 198.51.100.1 7000",  "ask-udp 198.51.100.1 7000",
      "connect-tcp 198.51.100.2 7000",  "ask-udp 198.51.100.2 7000",
      "send-udp 198.51.100.2 443",      "connect-mptcp 198.51.100.1 7000",
      "connect-mptcp 198.51.100.2 7000"};
  CHECK(by(way,
           [&] {
             EscapeBench bench(engine, std::nullopt, ScriptBench::Egress::tried,
                               macvlan_for(way, network));
             return bench.attempt_together(attempts, allowing_only(engine, {TestNetwork::router}));
           }) ==
        "connect-tcp 198.51.100.1 7000: ok\nask-udp 198.51.100.1 7000: ok\n"
        "connect-tcp 198.51.100.2 7000: ETIMEDOUT\nask-udp 198.51.100.2 7000: EPERM\n"
        "send-udp 198.51.100.2 443: EPERM\nconnect-mptcp 198.51.100.1 7000: EPROTONOSUPPORT\n"
        "connect-mptcp 198.51.100.2 7000: EPROTONOSUPPORT\n");
  for (const auto& words : attempts) {
    INFO(words << " with the host's network");
    CHECK(attempt_plainly(words).said == "ok");
  }
}

// What is dropped is an error for who sends it, except for an IPv6 ping, where the kernel forgets
// it.
TEST_CASE("a script pings what it may reach, and nobody beside it", "[egress]") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  EscapeBench bench(Engine::native, std::nullopt, ScriptBench::Egress::tried, network.macvlan());
  CHECK(bench.attempt_together(
            {"ping 198.51.100.1", "ping 198.51.100.2", "ping 2001:db8:1::1", "ping 2001:db8:1::2"},
            allowing_only(bench.engine, {TestNetwork::router, TestNetwork::router6})) ==
        "ping 198.51.100.1: ok\nping 198.51.100.2: EPERM\nping 2001:db8:1::1: ok\n"
        "ping 2001:db8:1::2: ETIMEDOUT\n");
}
