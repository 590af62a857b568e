#include "agent/runtime/notify_socket.hpp"

#include "tests/support/notify_receiver.hpp"
#include "tests/support/temp_dir.hpp"

#include <unistd.h>
#include <catch2/catch.hpp>
#include <cstdlib>

using namespace satellite;
using namespace satellite::agent;
using satellite::tests::NotifyReceiver;
using satellite::tests::TempDir;
using namespace std::chrono_literals;

TEST_CASE("the service manager gets each word in a datagram of its own, by path or abstract name") {
  const TempDir directory;
  const bool is_abstract = GENERATE(false, true);
  NotifyReceiver socket(is_abstract ? "@satellite-test-" + std::to_string(::getpid())
                                    : (directory.path() / "notify").string());
  NotifySocket service({socket.name(), 0us});
  service.ready("not connected yet");
  service.reloading(1'234'567us);
  service.status("two\nlines");
  service.stopping(20s, "stopping");
  service.alive();
  const std::vector<std::string> words{
      "READY=1\nSTATUS=not connected yet\n", "RELOADING=1\nMONOTONIC_USEC=1234567\n",
      "STATUS=two\\nlines\n", "STOPPING=1\nEXTEND_TIMEOUT_USEC=20000000\nSTATUS=stopping\n",
      "WATCHDOG=1\n"};
  CHECK(socket.received() == words);
  CHECK_FALSE(service.alive_every());
}

TEST_CASE("a service manager that reads nothing, is gone or was never there holds nobody up") {
  const TempDir directory;
  {
    NotifyReceiver socket((directory.path() / "notify").string());
    NotifySocket service({socket.name(), 0us});
    // Far more than the socket holds.
    for (int i = 0; i < 100'000; ++i) service.alive();
    CHECK_FALSE(socket.received().empty());
  }
  NotifySocket gone({(directory.path() / "notify").string(), 1s});
  gone.ready("");
  NotifySocket too_long({std::string(500, 'x'), 1s});
  too_long.ready("");
  NotifySocket nobody({"", 1s});
  nobody.ready("");
  CHECK_FALSE(nobody.alive_every());
}

TEST_CASE(
    "what the service manager says is taken from the environment, a watchdog only if it is "
    "ours") {
  const auto [usec, pid, expected] = GENERATE(table<std::string, std::string, long>({
      {"2000000", "", 2'000'000},
      {"2000000", "own", 2'000'000},
      {"2000000", "1", 0},
      {"0", "", 0},
      {"-5", "", 0},
      {"2s", "", 0},
      {"", "", 0},
  }));
  ::setenv("NOTIFY_SOCKET", "@name", 1);
  ::setenv("WATCHDOG_USEC", usec.c_str(), 1);
  ::setenv("WATCHDOG_PID", pid == "own" ? std::to_string(::getpid()).c_str() : pid.c_str(), 1);
  const auto settings = NotifySocket::take_from_environment();
  CHECK(settings.socket == "@name");
  CHECK(settings.watchdog.count() == expected);
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
    CHECK(std::getenv(name) == nullptr);
  }
  const NotifySocket service(settings);
  CHECK(service.alive_every().has_value() == (expected > 0));
}
