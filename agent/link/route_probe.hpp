#pragma once

#include <chrono>

namespace satellite::agent {

/// Whether the core still knows the way to us. Pure: time goes in with every call.
///
/// Shape:  the existing core forgets a satellite when an older socket of it closes late: heartbeats
///         look fine, but results are dropped and nothing is pushed any more. A request it must
///         answer tells. A core that did not answer the first one is too old to know such requests,
///         and its silence means nothing.
/// Source: core-contract 9-B1.
class RouteProbe {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Settings {
    std::chrono::seconds ask_every{60};
    std::chrono::seconds answer_within{10};  ///< or before the next question would be due
  };

  RouteProbe(Time authenticated_at, Settings settings)
      : settings_(settings), next_(authenticated_at) {}

  enum class Step { wait, ask, reconnect, give_up };
  /// What to do now; after `ask` it waits for the answer.
  Step step(Time now);
  void answered() { awaits_ = false, core_answers_ = true; }
  /// When to ask for the next step, unless an answer comes.
  Time next() const { return next_; }

 private:
  Settings settings_;
  Time next_;
  bool awaits_ = false;
  bool core_answers_ = false;
  Time asked_;
};

}  // namespace satellite::agent
