#pragma once

#include "sandbox/capture/capped_output.hpp"
#include "sandbox/launcher/client/ending.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/running/answer_pipe.hpp"
#include "sandbox/running/cancel_switch.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <optional>

namespace satellite::sandbox {

/// How long a script has to end by itself.
struct EndingTimes {
  std::chrono::milliseconds grace;  ///< between TERM and KILL
  /// A module that gave its result and said nothing for so long has only left something open.
  std::chrono::milliseconds quiet_after_answer;
};

/// One run while it goes on: waits for the launcher, the clock, the cancel switch and the output
/// cap, and ends the script when one of the last three asks for it.
///
/// Shape:  set_up() first; if it returns true, watch() beside the reading of both streams. Neither
///         returns before the launcher said that no process of the run is left (set_up: or that the
///         script is verified). A cancelled caller counts as the cancel switch.
class Execution {
 public:
  /// `answer` is null for a run that gives none; a module's run ends soon after it.
  Execution(boost::asio::io_context& context, LaunchedRunLink link, CancelSwitch& cancel,
            CappedOutput& output, AnswerPipe* answer, EndingTimes times)
      : link_(std::move(link)),
        cancel_(cancel),
        output_(output),
        answer_(answer),
        times_(times),
        alarm_(context) {}

  /// Returns true when the script is verified and waits at the barrier, false when it failed
  /// before.
  boost::asio::awaitable<bool> set_up();
  /// In the place of set_up() for a run that was let go before.
  void resume(RunStarted started) { started_ = std::move(started); }
  /// Until the script and everything it started are dead.
  boost::asio::awaitable<void> watch(std::chrono::milliseconds timeout);

  const Posture& posture() const { return started_->posture; }
  const MadeAhead& made_ahead() const { return started_->made_ahead; }
  const LauncherRecord& end() const { return *end_; }
  StopReason stopped_by() const { return stopped_by_; }
  /// After the end: whether the launcher confirmed it. False where that is not known: the launcher
  /// went away, or a kill and the start crossed.
  bool script_never_ran() const {
    return !started_ && !std::holds_alternative<RunEnded>(end_->event);
  }

 private:
  using Clock = std::chrono::steady_clock;
  boost::asio::awaitable<void> wait_for_anything();
  boost::asio::awaitable<void> wait_for_end();
  boost::asio::awaitable<void> notice_cancelled_caller();
  StopReason reason_to_stop(Clock::time_point deadline) const;
  bool take_end();
  bool has_answered() const { return answer_ != nullptr && answer_->answered_at().has_value(); }
  std::optional<Clock::time_point> quiet_enough_at() const;
  Clock::time_point next_look(Clock::time_point deadline) const;

  LaunchedRunLink link_;
  CancelSwitch& cancel_;
  CappedOutput& output_;
  AnswerPipe* answer_;
  EndingTimes times_;
  boost::asio::steady_timer alarm_;
  std::optional<RunStarted> started_;
  std::optional<LauncherRecord> end_;
  StopReason stopped_by_ = StopReason::none;
};

}  // namespace satellite::sandbox
