#include "agent/connection/cut_at.hpp"

#include <boost/asio/steady_timer.hpp>

namespace satellite::agent {

struct CutAt::State {
  State(const boost::asio::any_io_executor& executor, std::chrono::steady_clock::time_point moment,
        std::function<void()> action_)
      : timer(executor, moment), action(std::move(action_)) {}

  boost::asio::steady_timer timer;
  std::function<void()> action;
  bool is_done = false;
};

CutAt::CutAt(const boost::asio::any_io_executor& executor,
             std::chrono::steady_clock::time_point moment, std::function<void()> action)
    : state_(std::make_shared<State>(executor, moment, std::move(action))) {
  state_->timer.async_wait([state = state_](const boost::system::error_code& failure) {
    if (failure || !state->action) return;
    state->is_done = true;
    state->action();
  });
}

CutAt::~CutAt() {
  state_->action = nullptr;
  state_->timer.cancel();
}

bool CutAt::done() const {
  return state_->is_done;
}

}  // namespace satellite::agent
