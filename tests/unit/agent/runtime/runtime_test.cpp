#include "agent/runtime/event_loop.hpp"
#include "agent/runtime/process_signals.hpp"
#include "agent/runtime/task_group.hpp"
#include "tests/unit/agent/connection/link_fixture.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <csignal>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;
namespace asio = boost::asio;

namespace {

asio::awaitable<void> sleep(std::chrono::milliseconds duration) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, duration);
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<int> answer() {
  co_await sleep(1ms);
  co_return 42;
}

asio::awaitable<void> mark(bool& marked, std::chrono::milliseconds after) {
  co_await sleep(after);
  marked = true;
}

/// Writes into its owner when it goes, as the place of a run does.
class Place {
 public:
  explicit Place(int& given_back) : given_back_(given_back) {}
  ~Place() { ++given_back_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  int& given_back_;
};

/// What a run belongs to; refers to the loop itself.
struct Owner {
  explicit Owner(asio::io_context& context)
      : timer(context, 1h), tasks(context, [](std::exception_ptr) {}) {}
  asio::awaitable<void> work() {
    const Place place(given_back);
    co_await timer.async_wait(asio::use_awaitable);
  }
  int given_back = 0;
  asio::steady_timer timer;
  TaskGroup tasks;
};

}  // namespace

TEST_CASE("what is suspended in a loop can be destroyed before what it refers to") {
  EventLoop loop;
  const auto owner = std::make_unique<Owner>(loop);
  for (int i = 0; i < 3; ++i) REQUIRE(owner->tasks.start(owner->work()));
  loop.poll();
  CHECK(owner->given_back == 0);
  loop.destroy_pending();
  CHECK(owner->given_back == 3);
}

TEST_CASE("a task group waits for all, refuses new work, and tells of what was thrown") {
  asio::io_context context;
  int failures = 0;
  TaskGroup group(context, [&failures](std::exception_ptr) { ++failures; });
  bool first = false, second = false;
  REQUIRE(group.start(mark(first, 5ms)));
  REQUIRE(group.start(mark(second, 40ms)));
  asio::co_spawn(context, answer(), [&](std::exception_ptr, int) {
    CHECK(group.start([]() -> asio::awaitable<void> {
      co_await sleep(1ms);
      throw std::logic_error("broken");
    }()));
  });
  CHECK(group.size() == 2);
  run(context, sleep(10ms));
  run(context, group.drained());
  CHECK(first);
  CHECK(second);
  CHECK(failures == 1);
  CHECK(group.size() == 0);
  CHECK_FALSE(group.start(sleep(1ms)));
}

TEST_CASE("cancelling a task group ends its tasks early, and it still waits for them") {
  asio::io_context context;
  int failures = 0;
  TaskGroup group(context, [&failures](std::exception_ptr) { ++failures; });
  bool marked = false;
  for (int i = 0; i < 100; ++i) REQUIRE(group.start(mark(marked, 60s)));
  run(context, sleep(1ms));
  group.cancel_all();
  const auto begun = std::chrono::steady_clock::now();
  run(context, group.drained());
  CHECK(std::chrono::steady_clock::now() - begun < 10s);
  CHECK_FALSE(marked);
}

TEST_CASE("a stop signal is received by name, also one that came before the wait") {
  asio::io_context context;
  ProcessSignals stop(context, {SIGTERM, SIGINT});
  REQUIRE(::raise(SIGTERM) == 0);
  CHECK(run(context, stop.received()) == "SIGTERM");
  REQUIRE(::raise(SIGINT) == 0);
  CHECK(run(context, stop.received()) == "SIGINT");
}
