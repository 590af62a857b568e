#include "agent/runtime/run_until.hpp"
#include "agent/runtime/notification.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

using namespace satellite::agent;
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

asio::awaitable<int> answers() {
  co_return 7;
}
asio::awaitable<int> throws() {
  throw std::logic_error("broken");
  co_return 0;
}
asio::awaitable<int> waits(asio::io_context& context, bool& was_cancelled) {
  asio::steady_timer never(context, asio::steady_timer::time_point::max());
  try {
    co_await never.async_wait(asio::use_awaitable);
  } catch (...) {
    was_cancelled = true;
    throw;
  }
  co_return 7;
}
asio::awaitable<void> at_once() {
  co_return;
}

struct Ended {
  std::optional<int> value;
  std::exception_ptr thrown;
};
Ended run(asio::io_context& context, asio::awaitable<int> work, asio::awaitable<void> stopped) {
  Ended ended;
  bool has_ended = false;
  asio::co_spawn(context, run_until(std::move(work), std::move(stopped)),
                 [&](std::exception_ptr thrown, std::optional<int> value) {
                   ended = {value, thrown};
                   has_ended = true;
                 });
  context.run_for(30s);
  REQUIRE(has_ended);
  return ended;
}

}  // namespace

TEST_CASE("what ends before it is stopped gives its value") {
  asio::io_context context;
  Notification never(context);
  const Ended ended = run(context, answers(), never.wait());
  CHECK_FALSE(ended.thrown);
  CHECK(ended.value == 7);
}

TEST_CASE("what is stopped is cancelled and gives nothing") {
  asio::io_context context;
  bool was_cancelled = false;
  const Ended ended = run(context, waits(context, was_cancelled), at_once());
  CHECK_FALSE(ended.thrown);
  CHECK_FALSE(ended.value);
  CHECK(was_cancelled);
}

TEST_CASE("what is thrown comes out although nobody stops it") {
  asio::io_context context;
  Notification never(context);
  const Ended ended = run(context, throws(), never.wait());
  REQUIRE(ended.thrown);
  CHECK_THROWS_AS(std::rethrow_exception(ended.thrown), std::logic_error);
}
