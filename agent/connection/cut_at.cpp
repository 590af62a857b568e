#include "agent/connection/cut_at.hpp"

#include <boost/asio/steady_timer.hpp>

namespace satellite::agent {

struct CutAt::State {
  State(const boost::asio::any_io_executor& executor, std::chrono::steady_clock::time_point moment,
        std::function<void()> deed_)
      : timer(executor, moment), deed(std::move(deed_)) {}

  boost::asio::steady_timer timer;
  std::function<void()> deed;
  bool is_done = false;
};

CutAt::CutAt(const boost::asio::any_io_executor& executor,
             std::chrono::steady_clock::time_point moment, std::function<void()> deed)
    : state_(std::make_shared<State>(executor, moment, std::move(deed))) {
  state_->timer.async_wait([state = state_](const boost::system::error_code& failure) {
    if (failure || !state->deed) return;
    state->is_done = true;
    state->deed();
  });
}

CutAt::~CutAt() {
  state_->deed = nullptr;
  state_->timer.cancel();
}

bool CutAt::done() const {
  return state_->is_done;
}

}  // namespace satellite::agent
