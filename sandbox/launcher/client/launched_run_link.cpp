#include "sandbox/launcher/client/launched_run_link.hpp"

#include "sandbox/kernel/socket_messages.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <span>
#include <string>

namespace satellite::sandbox {

namespace asio = boost::asio;

LaunchedRunLink::State::State(asio::io_context& context, std::uint64_t run_number,
                              std::weak_ptr<int> agent_socket)
    : number(run_number), socket(std::move(agent_socket)), arrived(context) {
  arrived.expires_at(asio::steady_timer::time_point::max());
}

void LaunchedRunLink::State::push(LauncherRecord record) {
  events.push_back(std::move(record));
  arrived.cancel();
  if (const auto told = listener) told();  // a copy: it may be replaced by what it does
}

void LaunchedRunLink::State::ask(RequestKind kind) const {
  const auto fd = socket.lock();
  if (!fd || ended) return;
  const std::string bytes = encode_request({kind, number, std::nullopt});
  // A launcher that is gone is noticed by the reader.
  static_cast<void>(kernel::send_message(*fd, std::as_bytes(std::span(bytes))));
}

LaunchedRunLink::LaunchedRunLink(std::shared_ptr<State> state) : state_(std::move(state)) {}
LaunchedRunLink::LaunchedRunLink(LaunchedRunLink&&) noexcept = default;

LaunchedRunLink::~LaunchedRunLink() {
  if (!state_) return;
  state_->listener = nullptr;
  // Nobody will look at this run any more: it must not go on unseen.
  if (!state_->ended) state_->ask(RequestKind::kill);
}

asio::awaitable<void> LaunchedRunLink::arrived() const {
  const auto state = state_;
  if (!state->events.empty()) co_return;
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  co_await state->arrived.async_wait(token);
}

std::optional<LauncherRecord> LaunchedRunLink::take() {
  if (state_->events.empty()) return std::nullopt;
  LauncherRecord record = std::move(state_->events.front());
  state_->events.pop_front();
  return record;
}

void LaunchedRunLink::notify(std::function<void()> listener) {
  state_->listener = std::move(listener);
}
void LaunchedRunLink::terminate() {
  state_->ask(RequestKind::terminate);
}
void LaunchedRunLink::count() {
  state_->ask(RequestKind::count);
}
void LaunchedRunLink::kill() {
  state_->ask(RequestKind::kill);
}

}  // namespace satellite::sandbox
