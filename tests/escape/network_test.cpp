// E and F of the list: the network, and channels between processes.
#include "tests/escape/attempts.hpp"

#include "tests/escape/escape_bench.hpp"
#include "tests/escape/host_targets.hpp"
#include "tests/support/test_network.hpp"

#include <catch2/catch.hpp>
#include <iostream>

using namespace satellite::tests;

TEST_CASE("a run without network reaches nobody", "[network]") {
  // In a room 192.0.2.1 and the metadata addresses are the room's own: refused means that the
  // packet arrived.
  run_attempts({
      {"E30",
       "network",
       "connect-tcp 127.0.0.1 {port}",
       "ECONNREFUSED",
       "ECONNREFUSED",
       {Off::network, "ok", ""}},
      {"E30",
       "network",
       "connect-tcp ::1 {port6}",
       "ECONNREFUSED",
       "ECONNREFUSED|EADDRNOTAVAIL",
       {Off::network, "ok", ""}},
      {"E31",
       "network",
       "connect-tcp ::ffff:127.0.0.1 {port}",
       "ECONNREFUSED",
       "ECONNREFUSED",
       {Off::network, "ok", ""}},
      {"E30",
       "network",
       "connect-tcp 192.0.2.1 80",
       "ENETUNREACH",
       "ENETUNREACH",
       {Off::room, "ECONNREFUSED", ""}},
      {"E30",
       "network",
       "send-udp 192.0.2.1 53",
       "ENETUNREACH",
       "ENETUNREACH",
       {Off::room, "ok", ""}},
      {"E33",
       "network",
       "connect-tcp 169.254.169.254 80",
       "ENETUNREACH",
       "ENETUNREACH",
       {Off::room, "ECONNREFUSED", ""}},
      {"E33",
       "network",
       "connect-tcp fd00:ec2::254 80",
       "ENETUNREACH|EADDRNOTAVAIL",
       "ENETUNREACH|EADDRNOTAVAIL",
       {Off::room, "ECONNREFUSED", ""}},
      {"E31",
       "network",
       "connect-tcp ::ffff:192.0.2.1 80",
       "ENETUNREACH",
       "ENETUNREACH",
       {Off::room, "ECONNREFUSED", ""}},
      {"E34", "network", "send-udp 127.0.0.53 53", "ok", "ok", {Off::room, "ok", ""}},
      {"E30", "network", "count-interfaces", "ENODEV", "ENODEV", {Off::network, "ok", ""}},
  });
}

TEST_CASE("no socket is given that reaches around the network namespace", "[network]") {
  run_attempts({
      {"E35", "capabilities", "open-socket raw", "EPERM", "EPERM", {Off::room, "ok", ""}},
      {"E35", "capabilities", "open-socket raw6", "EPERM", "EPERM", {Off::room, "ok", ""}},
      {"E35",
       "capabilities",
       "open-socket packet",
       "EAFNOSUPPORT",
       "EAFNOSUPPORT",
       {Off::room, "ok", ""}},
      {"E35", "capabilities", "open-socket ping", "ok|EACCES", "ok", {Off::room, "EACCES", ""}},
      {"E35",
       "seccomp",
       "open-socket netfilter",
       "EAFNOSUPPORT",
       "EAFNOSUPPORT",
       {Off::engine, "ok", ""}},
      {"E35",
       "seccomp",
       "open-socket xfrm",
       "EAFNOSUPPORT",
       "EAFNOSUPPORT",
       {Off::engine, "ok|EPROTONOSUPPORT", ""}},
      {"E35",
       "seccomp",
       "open-socket uevent",
       "EAFNOSUPPORT",
       "EAFNOSUPPORT",
       {Off::engine, "ok", ""}},
      {"E35",
       "seccomp",
       "open-socket generic",
       "EAFNOSUPPORT",
       "EAFNOSUPPORT",
       {Off::engine, "ok", ""}},
      {"E35",
       "seccomp",
       "open-socket vsock",
       "EAFNOSUPPORT",
       "EAFNOSUPPORT",
       {Off::engine, "ok|EAFNOSUPPORT", ""}},
      {"E35",
       "seccomp",
       "open-socket alg",
       "EAFNOSUPPORT",
       "EAFNOSUPPORT",
       {Off::engine, "EAFNOSUPPORT|ok", ""}},
      {"E35",
       "seccomp",
       "open-socket xdp",
       "EAFNOSUPPORT",
       "EAFNOSUPPORT",
       {Off::engine, "EPERM|EAFNOSUPPORT", ""}},
      {"E35",
       "seccomp",
       "open-pair 2",
       "EAFNOSUPPORT",
       "EAFNOSUPPORT",
       {Off::engine, "EOPNOTSUPP", ""}},
      {"E35",
       "seccomp",
       "open-pair 30",
       "EAFNOSUPPORT",
       "EAFNOSUPPORT",
       {Off::engine, "EAFNOSUPPORT|ok", ""}},
      {"E36", "capabilities", "add-address", "EPERM", "EPERM|EAFNOSUPPORT", {Off::room, "ok", ""}},
      {"E36", "capabilities", "add-route", "EPERM", "EPERM|EAFNOSUPPORT", {Off::room, "ok", ""}},
      {"E36",
       "capabilities",
       "flush-filter",
       "EAFNOSUPPORT",
       "EAFNOSUPPORT",
       {Off::room, "ok|ENOENT", ""}},
      {"E36",
       "capabilities",
       "change-interface promiscuous",
       "EPERM",
       "EPERM",
       {Off::room, "ok", ""}},
      {"E36", "capabilities", "change-interface down", "EPERM", "EPERM", {Off::room, "ok", ""}},
  });
}

TEST_CASE("a run with a way out changes nothing about it, whoever made its network", "[network]") {
  if (!is_root()) return;  // the test network is root's; the satellite in it is not
  const TestNetwork network;
  const bool privileged = GENERATE(true, false);
  const auto attempt_all = [] {
    EscapeBench bench(satellite::sandbox::Engine::native, std::nullopt, ScriptBench::Egress::tried);
    satellite::sandbox::Policy policy = policy_for(bench.engine);
    policy.network.mode = satellite::sandbox::NetworkMode::allowlist;
    policy.network.allow = {TestNetwork::router};
    std::string said;
    for (const char* words :
         {"flush-filter", "add-address", "add-route", "change-interface promiscuous",
          "change-interface down", "join-namespace /proc/1/ns/net",
          "join-namespace /proc/1/ns/user", "join-namespace /proc/self/ns/net",
          "open-write /proc/sys/net/ipv6/conf/all/disable_ipv6",
          "open-write /proc/sys/net/ipv4/ping_group_range"}) {
      const Answer answer = bench.attempt(words, policy);
      // Without Landlock it is the read-only mount that says no.
      said += std::string(words) + ": " + (answer.said == "EROFS" ? "EACCES" : answer.said) + "\n";
      if (answer.ran.result.sandbox.engine != "native") said += "by another engine\n";
    }
    return said;
  };
  const std::string said = privileged ? attempt_all() : as_uid_65532(attempt_all);
  CHECK(said ==
        "flush-filter: EAFNOSUPPORT\nadd-address: EPERM\nadd-route: EPERM\n"
        "change-interface promiscuous: EPERM\nchange-interface down: EPERM\n"
        "join-namespace /proc/1/ns/net: EACCES\njoin-namespace /proc/1/ns/user: EACCES\n"
        "join-namespace /proc/self/ns/net: EPERM\n"
        "open-write /proc/sys/net/ipv6/conf/all/disable_ipv6: EACCES\n"
        "open-write /proc/sys/net/ipv4/ping_group_range: EACCES\n");
}

TEST_CASE("no channel of the host or of another run can be found", "[network]") {
  run_attempts({
      {"F42",
       "network",
       "connect-abstract {abstract}",
       "ECONNREFUSED|EPERM",
       "ECONNREFUSED|EPERM",
       {Off::engine, "ok", ""}},
      {"F42", "mount", "connect-path {socket}", "ENOENT", "ENOENT", {Off::engine, "ok", ""}},
      {"F42", "ipc", "shared-memory {key}", "ENOENT", "ENOENT", {Off::engine, "ok", ""}},
      {"F42", "ipc", "semaphores {key}", "ENOENT", "ENOENT", {Off::engine, "ok", ""}},
      {"F42", "ipc", "message-queue {key}", "ENOENT", "ENOENT", {Off::engine, "ok", ""}},
      {"F42", "ipc", "posix-queue {queue}", "ENOENT", "ENOENT", {Off::engine, "ok", ""}},
      {"F42", "mount", "open-write {shared-file}", "ENOENT", "ENOENT", {Off::engine, "ok", ""}},
      {"F42", "mount", "list-directory /run", "ENOENT", "ENOENT", {Off::engine, "ok", ""}},
      // A known rest: who may read a file may lock it, and sees others' locks.
      {"F43", "policy", "lock-file /usr/bin/env", "ok", "ok", {Off::engine, "ok", ""}},
  });
}

TEST_CASE("no open file is shared between runs, not even the empty input", "[network]") {
  for (const auto engine : confining_engines()) {
    ScriptBench bench(engine);
    const auto policy = policy_for(engine);
    const std::string set =
        "perl -MFcntl -e 'fcntl(STDIN, F_SETFL, O_APPEND | O_NONBLOCK) and print qq(set\\n)'";
    const std::string get = "perl -MFcntl -e 'print fcntl(STDIN, F_GETFL, 0) & O_APPEND'";
    REQUIRE(bench.run(script(set), policy).standard_output == "set\n");
    CHECK(bench.run(script(get), policy).standard_output == "0");
    // Positive control: within one run the flag is seen, because the file is one.
    CHECK(bench.run(script(set + "; " + get), policy).standard_output == "set\n1024");
  }
}

TEST_CASE("a run that shares the host's network reaches no abstract socket of the host",
          "[network]") {
  const HostTargets targets;
  const std::string words = targets.filled_in("connect-abstract {abstract}");
  for (const auto engine : confining_engines()) {
    EscapeBench bench(engine);
    auto policy = policy_for(engine);
    policy.network.mode = satellite::sandbox::NetworkMode::unrestricted;
    policy.network.deny_link_local_and_metadata = false;
    const Answer answer = bench.attempt(words, policy);
    INFO(name_of(engine) << " said " << answer.said << ": " << answer.detail);
    // Before Landlock ABI 6 nothing can refuse it, and the report names the version.
    const auto& files = answer.ran.result.sandbox.layers.at(
        static_cast<std::size_t>(satellite::sandbox::Layer::filesystem));
    const auto at = files.evidence.find("Landlock ABI ");
    const int version = at == std::string::npos ? 0 : std::stoi(files.evidence.substr(at + 13));
    CHECK(answer.said == (version >= 6 ? "EPERM" : "ok"));
    if (version < 6) std::cout << "layer absent: landlock scopes\n";
    // Its own are its own.
    CHECK(bench.attempt("connect-own-abstract", policy).said == "ok");
  }
  // Positive control: without an engine the host's socket answers.
  EscapeBench open(satellite::sandbox::Engine::none);
  CHECK(open.attempt(words, policy_for(open.engine)).said == "ok");
}
