// C and H of the list: more power than was given, and terminals.
#include "tests/escape/attempts.hpp"

#include "tests/escape/escape_bench.hpp"
#include "tests/escape/open_room.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <csignal>

using namespace satellite::tests;

TEST_CASE("no user, group or capability can be gained", "[privilege]") {
  run_attempts({
      {"C16", "identity", "set-user 0", "EINVAL", {"EPERM", "EINVAL|EPERM"}, {Off::room, "ok", ""}},
      {"C16",
       "identity",
       "set-group 0",
       "EINVAL",
       {"EPERM", "EINVAL|EPERM"},
       {Off::room, "ok", ""}},
      {"C16", "identity", "add-group 0", "EPERM", "EPERM", {Off::room, "EPERM", ""}},
      {"C16", "identity", "count-groups", "ENOENT", "ENOENT", {Off::plainly, "ENOENT", ""}},
      {"C17", "capabilities", "raise-capability", "EPERM", "EPERM", {Off::room, "ok", ""}},
      {"C17", "capabilities", "raise-ambient", "EPERM", "EPERM", {Off::room, "ok", ""}},
      {"C17", "capabilities", "any-capability", "ENOENT|ok", "ENOENT", {Off::room, "ok", ""}},
      {"C17", "seccomp", "gain-capabilities", "EPERM", "EPERM", {Off::engine, "ok", ""}},
      {"C20",
       "no_new_privs",
       "clear-no-new-privileges",
       "EINVAL",
       "EINVAL",
       {Off::plainly, "ok", ""}},
      {"C20", "capabilities", "set-securebits", "EPERM", "EPERM", {Off::room, "ok", ""}},
      {"C20", "capabilities", "keep-capabilities", "ENOENT", "ENOENT", {Off::room, "ok", ""}},
      {"C21", "descriptors", "inherited-descriptors", "EBADF", "EBADF", {Off::engine, "EBADF", ""}},
  });
}

TEST_CASE("no other process can be traced, read, signalled or robbed of a descriptor",
          "[privilege]") {
  run_attempts({
      {"C18", "pid", "attach {harness}", "EPERM", "EPERM", {Off::engine, "refused", ""}},
      {"C18", "init", "attach 1", "EPERM", "EPERM", {Off::engine, "ok", "attach-child"}},
      {"C18", "seccomp", "attach-child", "EPERM", "EPERM", {Off::engine, "ok", ""}},
      {"C18",
       "pid",
       "read-memory {harness}",
       "EPERM",
       "EPERM",
       {Off::engine, "ok", "read-memory-of-child"}},
      {"C18",
       "init",
       "read-memory 1",
       "EPERM",
       "EPERM",
       {Off::engine, "ok", "read-memory-of-child"}},
      {"C18", "seccomp", "read-memory-of-child", "EPERM", "EPERM", {Off::engine, "ok", ""}},
      {"C18",
       "init",
       "steal-descriptor 1 0",
       "EPERM",
       "EPERM",
       {Off::engine, "ok", "steal-descriptor-of-child"}},
      {"C18", "seccomp", "steal-descriptor-of-child", "EPERM", "EPERM", {Off::engine, "ok", ""}},
      {"C18", "seccomp", "compare-processes", "EPERM", "EPERM", {Off::engine, "ok|ENOSYS", ""}},
      {"C18", "init", "limits-of 1", "ok", "ok", {Off::engine, "ok", "limits-of 0"}},
      // Same user is all that the kernel asks for.
      {"C18", "seccomp", "limit 1", "EPERM", "EPERM", {Off::engine, "refused", ""}},
      {"C18", "seccomp", "slow-down 1", "EPERM", "EPERM", {Off::room, "ok", ""}},
      {"C19",
       "pid",
       "send-signal {launcher} 0",
       "ESRCH",
       "ESRCH",
       {Off::engine, {"EPERM", "ok"}, "see-process {launcher}"}},
      {"C19", "pid", "send-signal 1 9", "EPERM|ok", "EPERM|ok", {Off::room, "ok", ""}},
      {"C19", "pid", "send-signal 1 19", "EPERM|ok", "EPERM|ok", {Off::room, "ok", ""}},
      {"C19", "pid", "kill-all", "ESRCH|ok|EPERM", "ESRCH|ok|EPERM", {Off::room, "ESRCH|ok", ""}},
      {"G48", "limits", "raise-limit", "EPERM", "EPERM", {Off::plainly, "EPERM", ""}},
      {"G47",
       "capabilities",
       "negative-nice",
       "EACCES|EPERM",
       "EACCES|EPERM",
       {Off::impossible, "EACCES", "needs a capability of the host"}},
      {"G47",
       "capabilities",
       "real-time",
       "EPERM",
       "EPERM",
       {Off::impossible, "EPERM", "needs a capability of the host"}},
  });
}

TEST_CASE("no terminal can be typed into or taken", "[privilege]") {
  run_attempts({
      {"H55", "seccomp", "inject-character", "EPERM", "EPERM", {Off::engine, "ok|EIO", ""}},
      {"H55",
       "seccomp",
       "inject-character-high-bits",
       "EPERM",
       "EPERM",
       {Off::engine, "ok|EIO", ""}},
      {"H55",
       "seccomp",
       "console-selection",
       "EPERM",
       "EPERM",
       {Off::engine, "ENOTTY|EINVAL|EPERM", ""}},
      {"H55", "seccomp", "line-discipline", "EPERM", "EPERM", {Off::engine, "EINVAL|ok", ""}},
      {"H55",
       "policy",
       "take-terminal",
       "ok|ENOENT|EPERM",
       "ok|ENOENT|EPERM",
       {Off::engine, "ok", ""}},
      {"H55",
       "session",
       "controlling-terminal",
       "ENXIO|ENOENT",
       "ENXIO|ENOENT",
       {Off::engine, "ENXIO", ""}},
      {"H55", "session", "standard-terminal", "ENOTTY", "ENOTTY", {Off::engine, "ENOTTY", ""}},
      {"H56", "session", "foreign-group", "ENOENT", "ENOENT", {Off::engine, "ENOENT", ""}},
      {"H57", "session", "inherited-signals", "ENOENT", "ENOENT", {Off::engine, "ENOENT", ""}},
  });
}

TEST_CASE("what the agent left open, blocked or ignored does not reach a script", "[privilege]") {
  // Before the launcher starts and after it: both could be inherited.
  const int host_root = ::open("/", O_RDONLY | O_DIRECTORY);
  REQUIRE(::fcntl(host_root, F_DUPFD, 500) >= 0);
  sigset_t blocked, before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR1);
  REQUIRE(::sigprocmask(SIG_BLOCK, &blocked, &before) == 0);
  const auto ignored = ::signal(SIGPIPE, SIG_IGN);
  for (const auto engine : confining_engines()) {
    EscapeBench bench(engine);
    const int later = ::open("/", O_RDONLY | O_DIRECTORY);
    CHECK(bench.attempt("inherited-descriptors").said == "EBADF");
    CHECK(bench.attempt("inherited-signals").said == "ENOENT");
    ::close(later);
  }
  // Positive control: a program started as programs are started has all of it.
  const Answer descriptors = attempt_plainly("inherited-descriptors");
  CHECK(descriptors.detail.find("500=/") != std::string::npos);
  CHECK(attempt_plainly("inherited-signals").said == "ok");
  ::signal(SIGPIPE, ignored);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  ::close(500);
  ::close(host_root);
}

TEST_CASE("the probe tries nothing where it could hit the machine", "[privilege]") {
  CHECK(attempt_plainly("kill-all").said == "refused");
  CHECK(attempt_plainly("fork-many").said == "refused");
  CHECK(attempt_plainly("see-process 1").said != "refused");
  auto off = satellite::sandbox::shipped_default_policy();
  off.enabled = false;
  // Without a policy a script runs as and where the agent does: the probe stays where it was built.
  ScriptBench bench(satellite::sandbox::Engine::none, ScriptBench::Egress::untried, std::nullopt,
                    std::nullopt, satellite::sandbox::RootScripts::allowed);
  auto request = script("exec " + probe_path() + " " + probe_introduction() + " see-process 1");
  request.environment = {{"SATELLITE_ESCAPE_NONCE", probe_nonce()}};
  const Answer bare = answer_in(bench.run(std::move(request), off).standard_output);
  CHECK(bare.said != "nothing");
  CHECK((bare.said == "refused") == is_root());
}
