#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <optional>
#include <tuple>
#include <utility>

namespace satellite::agent {

/// Runs `work` to its end, unless `stopped` ends before, which cancels it; then there is no value.
///
/// Shape:  T has a default value. It returns when both have ended.
/// Errors: what the first of them to end throws is thrown here. Asio's `work || stopped` waits for
///         the other one instead, which may be for ever.
template <typename T>
boost::asio::awaitable<std::optional<T>> run_until(boost::asio::awaitable<T> work,
                                                   boost::asio::awaitable<void> stopped) {
  namespace asio = boost::asio;
  const auto executor = co_await asio::this_coro::executor;
  auto both = asio::experimental::make_parallel_group(
      asio::co_spawn(executor, std::move(work), asio::deferred),
      asio::co_spawn(executor, std::move(stopped), asio::deferred));
  const asio::experimental::wait_for_one first(asio::cancellation_type::terminal);
  auto ended = co_await both.async_wait(first, asio::use_awaitable);
  const bool is_work = std::get<0>(ended).front() == 0;
  const std::exception_ptr thrown = is_work ? std::get<1>(ended) : std::get<3>(ended);
  if (thrown) std::rethrow_exception(thrown);
  if (!is_work) co_return std::nullopt;
  co_return std::move(std::get<2>(ended));
}

}  // namespace satellite::agent
