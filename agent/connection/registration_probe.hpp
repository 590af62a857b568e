#pragma once

#include <chrono>

namespace satellite::agent {

/// Whether the core still has this satellite registered. Pure: time goes in with every call.
///
/// Shape:  the existing core forgets a satellite when an older socket of it closes late: heartbeats
///         look fine, but results are dropped and nothing is pushed any more. A request it must
///         answer shows that: a core that has answered and then leaves two requests in a row
///         unanswered has lost the registration. The silence of one that never answered means
///         nothing, since it may be too old to know such requests. It is asked again, at growing
///         intervals: it may have been slow, or have lost the registration before its first answer.
/// Source: core-contract 9-B1.
class RegistrationProbe {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Settings {
    std::chrono::seconds ask_every{60};
    std::chrono::seconds answer_within{10};  ///< or before the next question would be due
    std::chrono::seconds ask_seldom{3'600};  ///< the longest pause for a core that never answers
    bool core_answers = false;               ///< it did so on an earlier connection
  };

  RegistrationProbe(Time authenticated_at, Settings settings)
      : settings_(settings),
        next_(authenticated_at),
        pause_(settings.ask_every),
        core_answers_(settings.core_answers) {}

  enum class Step { wait, ask, reconnect };
  /// What to do now; after `ask` it waits for the answer.
  Step step(Time now);
  /// Also late: an answer to an earlier question says just as much.
  void answered();
  bool answered_here() const { return answered_here_; }
  /// Questions in a row without an answer.
  unsigned unanswered() const { return unanswered_; }
  /// When to ask for the next step, unless an answer comes.
  Time next() const { return next_; }

 private:
  Step ask(Time now);

  Settings settings_;
  Time next_;
  Time asked_;
  std::chrono::seconds pause_;  ///< between questions while the core never answered
  bool awaits_ = false;
  bool core_answers_;
  bool answered_here_ = false;
  unsigned unanswered_ = 0;
};

}  // namespace satellite::agent
