#include "agent/runtime/task_group.hpp"

#include "agent/runtime/notification.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <cassert>
#include <list>

namespace satellite::agent {

namespace asio = boost::asio;

struct TaskGroup::State {
  State(asio::io_context& context_, Failed failed_)
      : context(context_), failed(std::move(failed_)), ended(context_) {}

  asio::io_context& context;
  Failed failed;
  Notification ended;
  // A list, because a signal may not move while its task holds the slot.
  std::list<asio::cancellation_signal> running;
  bool closed = false;
};

TaskGroup::TaskGroup(asio::io_context& context, Failed failed)
    : state_(std::make_unique<State>(context, std::move(failed))) {}

TaskGroup::~TaskGroup() {
  assert(state_->running.empty() || state_->context.stopped());
}

Result<void> TaskGroup::start(asio::awaitable<void> task) {
  if (state_->closed) return Error{ErrorCode::cancelled, "no new work is taken any more"};
  const auto signal = state_->running.emplace(state_->running.end());
  const auto ended = [state = state_.get(), signal](std::exception_ptr exception) {
    state->running.erase(signal);
    state->ended.notify_all();
    if (exception) state->failed(exception);
  };
  asio::co_spawn(state_->context, std::move(task),
                 asio::bind_cancellation_slot(signal->slot(), ended));
  return {};
}

void TaskGroup::cancel_all() {
  // Emitting may end a task at once, and its entry with it.
  for (auto signal = state_->running.begin(); signal != state_->running.end();) {
    const auto current = signal++;
    current->emit(asio::cancellation_type::terminal);
  }
}

void TaskGroup::close() {
  state_->closed = true;
}

asio::awaitable<void> TaskGroup::drained() {
  close();
  // The caller owns what the tasks use, so it must not go before them, even when cancelled.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  while (!state_->running.empty()) {
    co_await state_->ended.wait();
  }
}

asio::awaitable<void> TaskGroup::next_end() {
  co_await state_->ended.wait();
}

asio::awaitable<void> TaskGroup::idle() {
  while (!state_->running.empty()) {
    co_await state_->ended.wait();
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return;
  }
}

std::size_t TaskGroup::size() const {
  return state_->running.size();
}

}  // namespace satellite::agent
