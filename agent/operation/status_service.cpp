#include "agent/operation/status_service.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

StatusService::StatusService(asio::io_context& context, Log& log, Settings settings,
                             Questions questions)
    : context_(context), log_(log), questions_(std::move(questions)), timer_(context) {
  for (const std::string& where : {settings.socket, settings.http}) {
    if (!where.empty()) listen(where);
  }
}

void StatusService::listen(const std::string& where) {
  const bool is_path = where.front() == '/';
  auto socket = is_path ? listen_on_path(where) : listen_on_loopback(where);
  if (!socket) {
    log_.warn("status_unavailable", socket.error().message,
              {{"at", where}, {"error_code", socket.error().code}});
    return;
  }
  const std::string at = socket->at;
  const RequestFrom from = is_path ? RequestFrom::unix_socket : RequestFrom::loopback;
  listeners_.push_back(std::make_unique<HttpListener>(
      context_, *std::move(socket), [this, from](const HttpRequest& request) {
        return answer_status_request(request, from, [this] { return status(); });
      }));
  log_.info("status_listens", "", {{"at", at}});
}

Status StatusService::status() const {
  Status status = questions_.status();
  status.history = history_.samples();
  status.history_every = StatusHistory::every;
  return status;
}

asio::awaitable<void> StatusService::run() {
  co_await (answer_at(0) && answer_at(1) && take_samples());
}

asio::awaitable<void> StatusService::answer_at(std::size_t place) {
  if (place >= listeners_.size()) co_return;
  co_await listeners_[place]->run();
}

/// Only where somebody may look at them.
asio::awaitable<void> StatusService::take_samples() {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  while (!stopping_ && !listeners_.empty()) {
    history_.add(questions_.sample());
    timer_.expires_after(StatusHistory::every);
    co_await timer_.async_wait(without_throwing);
  }
}

void StatusService::stop() {
  stopping_ = true;
  timer_.cancel();
  for (const auto& listener : listeners_) listener->stop();
}

}  // namespace satellite::agent
