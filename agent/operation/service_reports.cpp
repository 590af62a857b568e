#include "agent/operation/service_reports.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

ServiceReports::ServiceReports(asio::io_context& context, NotifySocket& service,
                               ConnectionRecord& connection, std::function<std::string()> core)
    : service_(service), connection_(connection), core_(std::move(core)), timer_(context) {}

asio::awaitable<void> ServiceReports::run() {
  co_await (tell_status() && prove_alive());
}

void ServiceReports::stop() {
  stopped_ = true;
  timer_.cancel();
  connection_.changed.notify_all();
}

void ServiceReports::reloading() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  service_.reloading(std::chrono::duration_cast<std::chrono::microseconds>(now));
}

void ServiceReports::stopping(std::chrono::seconds limit) {
  is_stopping_ = true;
  service_.stopping(limit, "stopping: runs may end by themselves");
}

std::string ServiceReports::words() const {
  if (connection_.authenticated_at) return "connected to " + core_();
  if (connection_.last_reason.empty()) return "connecting to " + core_();
  return "not connected to " + core_() + ": " + connection_.last_reason;
}

asio::awaitable<void> ServiceReports::tell_status() {
  std::string told;
  while (!stopped_) {
    co_await connection_.changed.wait();
    // While it stops, that is what there is to say.
    if (is_stopping_ || words() == told) continue;
    told = words();
    service_.status(told);
  }
}

asio::awaitable<void> ServiceReports::prove_alive() {
  const auto every = service_.alive_every();
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  while (every && !stopped_) {
    service_.alive();
    timer_.expires_after(*every);
    co_await timer_.async_wait(without_throwing);
  }
}

}  // namespace satellite::agent
