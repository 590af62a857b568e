#include "agent/connection/tcp_connect.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <memory>
#include <optional>

namespace satellite::agent {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Moment = std::chrono::steady_clock::time_point;

// Nothing overtakes what waits in the kernel, which on a slow link would be megabytes: what is
// urgent would come minutes late.
constexpr int unsent_max = 128 << 10;

/// All attempts at one connection. Shared with the handlers of attempts that are being closed,
/// which Asio calls after the race is over.
struct Race {
  explicit Race(const asio::any_io_executor& executor_) : executor(executor_), news(executor_) {}

  asio::any_io_executor executor;
  asio::steady_timer news;  // woken by every answer
  std::vector<std::unique_ptr<tcp::socket>> attempts;
  std::size_t pending = 0;
  std::optional<std::size_t> winner;
  std::vector<tcp::endpoint> silent;  // asked, and have not answered
  std::string failures;

  void failed(const tcp::endpoint& endpoint, const std::string& why) {
    failures += (failures.empty() ? "" : ", ") + text_of(endpoint) + " " + why;
  }
  void close_all() {
    boost::system::error_code ignored;
    for (const auto& attempt : attempts) attempt->close(ignored);
  }
};

/// Asio opens its sockets without close-on-exec.
Result<void> open_cloexec(tcp::socket& socket, const tcp& protocol) {
  const int fd =
      ::socket(protocol.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  if (fd < 0) return error_from_errno("socket", errno);
  boost::system::error_code failure;
  socket.assign(protocol, fd, failure);
  if (!failure) return {};
  return Error{ErrorCode::internal, "socket: " + failure.message()};
}

void begin_attempt(const std::shared_ptr<Race>& race, const tcp::endpoint& endpoint) {
  auto socket = std::make_unique<tcp::socket>(race->executor);
  const Result<void> opened = open_cloexec(*socket, endpoint.protocol());
  if (!opened) return race->failed(endpoint, opened.error().message);
  const std::size_t number = race->attempts.size();
  ++race->pending;
  race->silent.push_back(endpoint);
  socket->async_connect(endpoint,
                        [race, number, endpoint](const boost::system::error_code& failure) {
                          --race->pending;
                          std::erase(race->silent, endpoint);
                          if (failure) {
                            race->failed(endpoint, failure.message());
                          } else if (!race->winner) {
                            race->winner = number;
                          }
                          race->news.cancel();
                        });
  race->attempts.push_back(std::move(socket));
}

Error no_connection(const Race& race, bool is_late) {
  if (is_late) {
    std::string text = "TCP: no connection in time:";
    for (const tcp::endpoint& endpoint : race.silent) {
      text += ' ' + text_of(endpoint) + " does not answer,";
    }
    text.pop_back();
    return Error{ErrorCode::timed_out,
                 text + (race.failures.empty() ? "" : " (" + race.failures + ")")};
  }
  return Error{ErrorCode::unavailable, "TCP: no connection: " + race.failures};
}

}  // namespace

std::string text_of(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? '[' + address + ']' : address) + ':' +
         std::to_string(endpoint.port());
}

asio::awaitable<Result<tcp::socket>> tcp_connect(std::vector<tcp::endpoint> endpoints,
                                                 Moment deadline,
                                                 std::chrono::milliseconds stagger) {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  const auto executor = co_await asio::this_coro::executor;
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto race = std::make_shared<Race>(executor);
  std::size_t next = 0;
  Moment next_at = std::chrono::steady_clock::now();
  bool is_late = false;
  bool is_cancelled = false;
  while (!race->winner && !is_late && !is_cancelled) {
    const auto now = std::chrono::steady_clock::now();
    is_late = now >= deadline;
    if (!is_late && next < endpoints.size() && (now >= next_at || race->pending == 0)) {
      begin_attempt(race, endpoints[next++]);
      next_at = now + stagger;
      continue;
    }
    if (is_late || race->pending == 0) break;
    race->news.expires_at(next < endpoints.size() ? std::min(next_at, deadline) : deadline);
    co_await race->news.async_wait(without_throwing);
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    is_cancelled = cancellation.cancelled() != asio::cancellation_type::none;
  }
  if (!race->winner) {
    race->close_all();
    if (is_cancelled) co_return Error{ErrorCode::cancelled, "TCP: stopped"};
    co_return no_connection(*race, is_late);
  }
  tcp::socket socket = std::move(*race->attempts[*race->winner]);
  race->close_all();
  boost::system::error_code ignored;
  // Frames are written whole; waiting for more to send would only add latency.
  socket.set_option(tcp::no_delay(true), ignored);
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_max,
               sizeof unsent_max);
  co_return socket;
}

}  // namespace satellite::agent
