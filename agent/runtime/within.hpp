#pragma once

#include "protocol/vocabulary/result.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace satellite::agent {

namespace detail {

template <typename T>
struct AsResult {
  using type = Result<T>;
};
template <typename T>
struct AsResult<Result<T>> {
  using type = Result<T>;
};

/// Ends at `deadline`, or early when its coroutine is cancelled.
inline boost::asio::awaitable<void> reached(std::chrono::steady_clock::time_point deadline) {
  constexpr auto without_throwing = boost::asio::as_tuple(boost::asio::use_awaitable);
  const auto executor = co_await boost::asio::this_coro::executor;
  boost::asio::steady_timer timer(executor, deadline);
  co_await timer.async_wait(without_throwing);
}

/// What came out of a piece of work: exactly one of the two.
template <typename T>
struct Ended {
  std::optional<typename AsResult<T>::type> result;
  std::exception_ptr exception;
};

/// `||` of Asio waits for the first *success*, so an exception would only show at the deadline.
template <typename T>
boost::asio::awaitable<Ended<T>> ended(boost::asio::awaitable<T> work) {
  Ended<T> end;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(work);
      end.result.emplace();
    } else {
      auto result = co_await std::move(work);
      end.result.emplace(std::move(result));
    }
  } catch (...) {
    end.exception = std::current_exception();
  }
  co_return end;
}

}  // namespace detail

/// A deadline around anything awaitable (Boost 1.81 has no cancel_after).
///
/// Shape:  awaitable<T>, awaitable<void> or awaitable<Result<T>> becomes awaitable<Result<T>>.
///         At the deadline the work is cancelled and *then waited for*: nothing goes on behind the
///         caller's back, so work that ignores cancellation makes the deadline late.
/// Errors: timed_out, naming `what`; otherwise what the work itself gives or throws.
template <typename T>
boost::asio::awaitable<typename detail::AsResult<T>::type> within_deadline(
    std::chrono::steady_clock::time_point deadline, std::string what,
    boost::asio::awaitable<T> work) {
  using namespace boost::asio::experimental::awaitable_operators;
  auto first = co_await (detail::ended(std::move(work)) || detail::reached(deadline));
  if (first.index() == 1) {
    co_return Error{ErrorCode::timed_out, std::move(what) + " did not end in time"};
  }
  detail::Ended<T>& end = std::get<0>(first);
  if (end.exception) std::rethrow_exception(end.exception);
  co_return std::move(*end.result);
}

template <typename T>
boost::asio::awaitable<typename detail::AsResult<T>::type> within(
    std::chrono::steady_clock::duration duration, std::string what,
    boost::asio::awaitable<T> work) {
  return within_deadline(std::chrono::steady_clock::now() + duration, std::move(what),
                         std::move(work));
}

}  // namespace satellite::agent
