#include "sandbox/running/execution.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace satellite::sandbox {

namespace asio = boost::asio;

namespace {

using namespace asio::experimental::awaitable_operators;

// How soon to look again where output still waits for its reader.
constexpr std::chrono::milliseconds busy_pause{100};
// The slowest start of a runtime that was measured takes a fifth of a second; one that hangs, as
// node does when it may start too few threads, must not take the whole time of its script.
constexpr std::chrono::seconds load_time_max{20};

}  // namespace

/// Takes the launcher's records; true once the last one came.
bool Execution::take_end() {
  while (auto record = link_.take()) {
    if (auto* event = std::get_if<RunStarted>(&record->event)) {
      started_ = std::move(*event);
      return false;
    }
    end_ = std::move(record);
  }
  return end_.has_value();
}

/// Returns when the launcher spoke, the alarm rang, somebody cancelled or the output reached its
/// cap. Which of them is read from the states afterwards, so that two at once cannot hide each
/// other.
asio::awaitable<void> Execution::wait_for_anything() {
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  auto spoke = link_.arrived();
  auto cancelled = cancel_.wait();
  auto full = output_.limit_reached();
  auto rang = alarm_.async_wait(token);
  if (answer_ == nullptr) {
    co_await (std::move(spoke) || std::move(cancelled) || std::move(full) || std::move(rang));
    co_return;
  }
  auto answered = answer_->changed();
  co_await (std::move(spoke) || std::move(cancelled) || std::move(full) || std::move(rang) ||
            std::move(answered));
}

/// The caller's cancellation counts as the switch; from then on it cannot interrupt us again.
asio::awaitable<void> Execution::notice_cancelled_caller() {
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() == asio::cancellation_type::none) co_return;
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  cancel_.cancel();
}

StopReason Execution::reason_to_stop(Clock::time_point deadline) const {
  if (output_.must_stop()) return StopReason::output_limit;
  if (cancel_.cancelled()) return StopReason::cancelled;
  const auto now = Clock::now();
  if (has_answered()) {
    const auto quiet_at = quiet_enough_at();
    const bool is_over = now >= deadline || (quiet_at && now >= *quiet_at);
    return is_over ? StopReason::answered : StopReason::none;
  }
  return now >= deadline ? StopReason::timed_out : StopReason::none;
}

/// When a module that has answered counts as done although it goes on. Time in which its output
/// was not read does not count.
std::optional<Execution::Clock::time_point> Execution::quiet_enough_at() const {
  const auto since = output_.quiet_since();
  if (!since) return std::nullopt;
  return std::max(*since, *answer_->answered_at()) + times_.quiet_after_answer;
}

Execution::Clock::time_point Execution::next_look(Clock::time_point deadline) const {
  if (!has_answered()) return deadline;
  return std::min(deadline, quiet_enough_at().value_or(Clock::now() + busy_pause));
}

asio::awaitable<bool> Execution::set_up() {
  const auto deadline = Clock::now() + setup_time_max;
  alarm_.expires_at(deadline);
  bool killed = false;
  while (!take_end()) {
    if (started_ && !killed) co_return true;
    if (!killed) {
      stopped_by_ = reason_to_stop(deadline);
      killed = stopped_by_ != StopReason::none;
      if (killed) link_.kill();
    }
    if (killed) {
      co_await link_.arrived();
    } else {
      co_await wait_for_anything();
      co_await notice_cancelled_caller();
    }
  }
  co_return false;
}

/// TERM, grace, KILL; at the output cap KILL at once.
asio::awaitable<void> Execution::wait_for_end() {
  if (stopped_by_ == StopReason::output_limit) {
    link_.kill();
  } else {
    link_.terminate();
    alarm_.expires_after(times_.grace);
    constexpr auto token = asio::as_tuple(asio::use_awaitable);
    auto spoke = link_.arrived();
    auto rang = alarm_.async_wait(token);
    co_await (std::move(spoke) || std::move(rang));
    if (!take_end()) link_.kill();
  }
  while (!take_end()) {
    co_await link_.arrived();
  }
}

asio::awaitable<void> Execution::watch(std::chrono::milliseconds timeout) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto begin = Clock::now();
  const auto deadline = begin + timeout;
  while (!take_end()) {
    const bool is_loading = answer_ != nullptr && !answer_->is_loaded();
    const auto end_at = is_loading ? std::min(deadline, begin + load_time_max) : deadline;
    stopped_by_ = reason_to_stop(end_at);
    if (stopped_by_ != StopReason::none) break;
    alarm_.expires_at(next_look(end_at));
    co_await wait_for_anything();
    co_await notice_cancelled_caller();
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  if (!end_) {
    co_await wait_for_end();
  }
  output_.no_more_writers();
  if (answer_ != nullptr) answer_->no_more_writers();
}

}  // namespace satellite::sandbox
