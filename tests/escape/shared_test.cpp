// B and G of the list: what a run has in common with its init, with other runs and with the host.
#include "tests/escape/attempts.hpp"
#include "tests/escape/escape_bench.hpp"
#include "tests/escape/open_room.hpp"

#include <unistd.h>
#include <catch2/catch.hpp>

using namespace satellite::sandbox;
using namespace satellite::tests;
using namespace std::chrono_literals;

TEST_CASE("how init is scheduled is out of reach, and what is the script's own is not",
          "[shared]") {
  const Control room{Off::room, "ok", ""};
  run_attempts({
      {"B2", "seccomp", "schedule setscheduler 1", "EPERM", "EPERM", room},
      {"B2", "seccomp", "schedule setparam 1", "EPERM", "EPERM", room},
      {"B2", "seccomp", "schedule setattr 1", "EPERM", "EPERM", room},
      {"B2", "seccomp", "schedule setaffinity 1", "EPERM", "EPERM", room},
      {"B2", "seccomp", "schedule priority 1", "EPERM", "EPERM", room},
      {"B2", "seccomp", "schedule priority-of-user 0", "EPERM", "EPERM", room},
      {"B2", "seccomp", "schedule io 1", "EPERM", "EPERM", room},
      {"B2", "seccomp", "schedule io-of-user 0", "EPERM", "EPERM", room},
      // Nobody's group in there, so there is nobody to hit.
      {"B2", "seccomp", "schedule priority-of-group 1", "EPERM", "EPERM", {Off::room, "ESRCH", ""}},
      {"B2",
       "init",
       "schedule core 1",
       "EPERM|ENODEV|EINVAL",
       "EPERM|ENODEV|EINVAL",
       {Off::impossible, "", "needs a processor with siblings"}},
      {"B2", "policy", "schedule setscheduler 0", "ok", "ok", room},
      {"B2", "policy", "schedule setattr 0", "ok", "ok", room},
      {"B2", "policy", "schedule setaffinity 0", "ok", "ok", room},
      {"B2", "policy", "schedule priority 0", "ok", "ok", room},
      {"B2",
       "policy",
       "schedule priority-of-group 0",
       "ok",
       "ok",
       {Off::room, "ok", "schedule priority 0"}},
      {"B2", "policy", "schedule io 0", "ok", "ok", room},
      {"B2", "policy", "schedule-thread setscheduler", "ok", "ok", room},
      {"B2", "policy", "schedule-thread setaffinity", "ok", "ok", room},
      {"B2", "policy", "schedule-thread priority", "ok", "ok", room},
  });
}

TEST_CASE("no file can be made that gives others the script's user or group", "[shared]") {
  const Control open{Off::engine, "ok", ""};
  std::vector<Attempt> attempts{
      {"B3", "seccomp", "set-mode openat2 4755", "ENOSYS", "ENOSYS", open},
      {"B3",
       "seccomp",
       "set-mode fchmodat2 4755",
       "EPERM",
       "EPERM",
       {Off::engine, "ok|ENOSYS", ""}},
      {"B3", "seccomp", "make-nameless 6755", "EPERM", "EPERM", open},
      {"B3", "seccomp", "set-directory-mode 2755", "EPERM", "EPERM", open},
      // The kernel itself takes no such bit there.
      {"B3", "kernel", "set-mode mkdir 4755", "ENODATA", "ENODATA", {Off::engine, "ENODATA", ""}},
      {"B3", "policy", "set-mode chmod 1755", "ok", "ok", open},
      {"B3", "policy", "set-mode openat 755", "ok", "ok", open},
      {"B3", "policy", "make-nameless 755", "ok", "ok", open},
      {"B3", "policy", "set-directory-mode 1777", "ok", "ok", open},
      {"B3", "policy", "open-with-rubbish", "ok", "ok", open},
  };
  static const std::vector<std::string> words = [] {
    std::vector<std::string> all;
    for (const char* call : {"chmod", "fchmod", "fchmodat", "openat", "mknodat"}) {
      for (const char* mode : {"4755", "2755", "6755"}) {
        all.push_back(std::string("set-mode ") + call + " " + mode);
      }
    }
#if defined(__x86_64__)
    for (const char* call : {"open", "creat", "mknod"}) {
      all.push_back(std::string("set-mode ") + call + " 4755");
    }
#endif
    return all;
  }();
  for (const auto& one : words) attempts.push_back({"B3", "seccomp", one, "EPERM", "EPERM", open});
  run_attempts(attempts);
}

TEST_CASE("what is counted for the whole host is not given to a script", "[shared]") {
  run_attempts({
      {"B5", "seccomp", "asynchronous-io", "ENOSYS", "ENOSYS", {Off::engine, "ok|ENOSYS", ""}},
      {"B5", "seccomp", "huge-pages map", "ENOMEM", "ENOMEM", {Off::engine, "ok|EINVAL", ""}},
      {"B5", "seccomp", "huge-pages file", "EPERM", "EPERM", {Off::engine, "ok|EINVAL", ""}},
      {"B5",
       "seccomp",
       "huge-pages segment",
       "EPERM",
       "EPERM",
       {Off::engine, "ok|EPERM|EINVAL|ENOMEM", ""}},
      // bubblewrap mounts terminals without a bound; its runs end at their limit of open files.
      {"B5",
       "mount",
       "many-terminals 100",
       "ok",
       "ENOSPC",
       {Off::engine, "ok|ENOENT|EACCES|EPERM", ""}},
  });
}

TEST_CASE("no packet can be sent by way of stations", "[shared]") {
  run_attempts({
      // Newer kernels ask for a capability that nobody in a sandbox has.
      {"B4", "seccomp", "stations ip", "EPERM", "EPERM", {Off::room, "ok", ""}},
      {"B4",
       "capabilities",
       "send-by-stations 127.0.0.1 127.0.0.1",
       "EPERM",
       "EPERM",
       {Off::room, "ok", ""}},
      {"B4", "seccomp", "stations ip6", "EPERM", "EPERM", {Off::engine, "ok|EINVAL", ""}},
      {"B4", "seccomp", "stations ip6-old", "EPERM", "EPERM", {Off::engine, "ok", ""}},
      {"B4", "capabilities", "stations ip6-hop", "EPERM", "EPERM", {Off::engine, "EPERM", ""}},
      {"B4", "capabilities", "stations ip6-dst", "EPERM", "EPERM", {Off::engine, "EPERM", ""}},
  });
}

TEST_CASE("a script that takes init all it can and every processor ends at its time", "[shared]") {
  for (const Engine engine : confining_engines()) {
    EscapeBench bench(engine);
    // A busy host may stall one of them, and not each.
    Ran ran;
    for (int attempt = 0; attempt < 3 && (attempt == 0 || ran.result.duration >= 10s); ++attempt) {
      RunRequest request = bench.request("starve");
      request.timeout = 1s;
      ran = bench.run(std::move(request), policy_for(engine));
    }
    INFO(name_of(engine) << ": " << ran.result.error.value_or("") << ran.standard_error);
    CHECK(ran.result.outcome == Outcome::timed_out);
    CHECK(ran.result.error.value_or("").find("did not die") == std::string::npos);
    CHECK(ran.result.duration < 10s);
    CHECK(count_processes(probe_nonce()) == 0);
  }
}

TEST_CASE("the agent's command line is not to be read in a run", "[shared]") {
  for (const Engine engine : confining_engines()) {
    ScriptBench bench(engine);
    const Ran ran = bench.run(script("tr '\\0' ' ' </proc/1/cmdline; echo read; "
                                     "tr '\\0' ' ' </proc/self/cmdline"),
                              policy_for(engine));
    INFO(ran.standard_output);
    CHECK(ran.standard_output.find("escape_tests") == std::string::npos);
    CHECK(ran.standard_output.find("read\n") != std::string::npos);
    CHECK(ran.standard_output.find("tr ") != std::string::npos);  // a command line can be read
    CHECK(read_proc(bench.launcher->pid(), "cmdline").starts_with("csat-launcher"));
  }
  CHECK(read_proc(::getpid(), "cmdline").find("escape_tests") != std::string::npos);
}
