#include "agent/runtime/loop_watch.hpp"

#include <time.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace satellite::agent {

namespace asio = boost::asio;

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds look_every{1};

std::chrono::nanoseconds own_processor_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

asio::awaitable<void> LoopWatch::run() {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  auto longest = std::chrono::nanoseconds(1ms);
  auto last = own_processor_time();
  while (!stopping_) {
    timer_.expires_after(look_every);
    co_await timer_.async_wait(without_throwing);
    const auto now = own_processor_time();
    if (now - last > longest) {
      longest = now - last;
      const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(longest);
      log_.info("loop_busy", "", {{"us", micros.count()}});
    }
    last = own_processor_time();
  }
}

void LoopWatch::stop() {
  stopping_ = true;
  timer_.cancel();
}

}  // namespace satellite::agent
