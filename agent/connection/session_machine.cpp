#include "agent/connection/session_machine.hpp"

#include "protocol/vocabulary/limits.hpp"

#include <utility>

namespace satellite::agent {
namespace {

// How long a refresh waits for secrets: as long as a reply may take.
constexpr std::chrono::seconds replies_deadline{30};
constexpr const char* stop_reason = "Client shutdown";

void append(SessionActions& actions, SessionActions further) {
  for (SessionAction& action : further) actions.push_back(std::move(action));
}

}  // namespace

SessionActions SessionMachine::step(SessionEvent event, const SessionFacts& facts) {
  switch (state_) {
    case SessionState::connecting:
      return connecting(event);
    case SessionState::authenticating:
      return authenticating(event, facts);
    case SessionState::serving:
    case SessionState::awaiting_replies:
      return serving(event, facts);
    case SessionState::draining:
      return draining(event, facts);
    case SessionState::closing:
      return closing(event, facts);
    case SessionState::ended:
      return {};
  }
  return {};
}

SessionActions SessionMachine::connecting(SessionEvent event) {
  switch (event) {
    case SessionEvent::opened:
      state_ = SessionState::authenticating;
      return {ArmTimer{SessionTimer::deadline, settings_.deadline}};
    case SessionEvent::connect_failed:
      state_ = SessionState::ended;
      return {};
    case SessionEvent::stop_asked:
      return close(CloseCode::going_away, stop_reason);
    case SessionEvent::reload_asked:
      was_reloaded_ = true;
      return {};
    default:
      return {};
  }
}

SessionActions SessionMachine::authenticating(SessionEvent event, const SessionFacts& facts) {
  switch (event) {
    case SessionEvent::authenticated:
      return serve(facts.now);
    case SessionEvent::refused:
      return close_for(ConnectionEnd::unauthorised);
    case SessionEvent::shut_down:
      return close_for(ConnectionEnd::shut_down);
    case SessionEvent::deadline_passed: {
      SessionActions actions{WriteLog{LogLevel::warn, "authentication_timed_out",
                                      "the core did not answer in time", std::nullopt}};
      append(actions, close(CloseCode::policy_violation, "authentication timed out"));
      return actions;
    }
    case SessionEvent::stop_asked:
      // The core has taken nothing yet, so nothing can be drained.
      return close(CloseCode::going_away, stop_reason);
    case SessionEvent::reload_asked:
      // Too late for this connection; it is made anew when the core has answered.
      was_reloaded_ = true;
      return {};
    case SessionEvent::link_ended:
      return end_with(facts, CloseLink{});
    default:
      return {};
  }
}

SessionActions SessionMachine::serving(SessionEvent event, const SessionFacts& facts) {
  switch (event) {
    case SessionEvent::refused:
      return close_for(ConnectionEnd::unauthorised);
    case SessionEvent::shut_down:
      return close_for(ConnectionEnd::shut_down);
    case SessionEvent::registration_confirmed:
      probe_->answered();
      return {};
    case SessionEvent::heartbeat_due:
      return {SendHeartbeat{},
              ArmTimer{SessionTimer::heartbeat, facts.now + limits::heartbeat_interval}};
    case SessionEvent::probe_due:
      return probe_step(facts.now);
    case SessionEvent::refresh_due:
    case SessionEvent::replies_settled:
      return refresh_when_settled(facts);
    case SessionEvent::reload_asked:
      refresh_due_ = facts.now;
      was_reloaded_ = true;
      return refresh_when_settled(facts);
    case SessionEvent::stop_asked:
      return drain_or_close(facts);
    case SessionEvent::link_ended:
      return end_with(facts, CloseLink{});
    default:
      return {};
  }
}

SessionActions SessionMachine::draining(SessionEvent event, const SessionFacts& facts) {
  switch (event) {
    case SessionEvent::refused:
      end_ = ConnectionEnd::unauthorised;
      return {};
    case SessionEvent::shut_down:
      end_ = ConnectionEnd::shut_down;
      return {};
    case SessionEvent::registration_confirmed:
      probe_->answered();
      return {};
    case SessionEvent::heartbeat_due:
      return {SendHeartbeat{},
              ArmTimer{SessionTimer::heartbeat, facts.now + limits::heartbeat_interval}};
    case SessionEvent::deadline_passed:
    case SessionEvent::outbox_empty:
      return close(CloseCode::going_away, stop_reason);
    case SessionEvent::link_ended:
      return end_with(facts, CloseLink{CloseCode::going_away, stop_reason});
    default:
      return {};
  }
}

SessionActions SessionMachine::closing(SessionEvent event, const SessionFacts& facts) {
  switch (event) {
    case SessionEvent::connect_failed:
      state_ = SessionState::ended;
      return {};
    case SessionEvent::authenticated:
      // Too late to serve it, but the core has accepted id and token.
      authenticated_at_ = facts.now;
      return {RaiseFrameLimit{}};
    case SessionEvent::refused:
      end_ = ConnectionEnd::unauthorised;
      return {};
    case SessionEvent::shut_down:
      end_ = ConnectionEnd::shut_down;
      return {};
    case SessionEvent::registration_confirmed:
      if (probe_) probe_->answered();
      return {};
    case SessionEvent::link_ended:
      return end_with(facts, std::nullopt);
    default:
      return {};
  }
}

SessionActions SessionMachine::serve(Time now) {
  state_ = SessionState::serving;
  authenticated_at_ = now;
  probe_.emplace(now, settings_.probe);
  SessionActions actions{RaiseFrameLimit{},
                         ArmTimer{SessionTimer::heartbeat, now + limits::heartbeat_interval}};
  if (was_reloaded_) {
    refresh_due_ = now;
  } else if (settings_.refresh_every.count() != 0) {
    refresh_due_ = now + settings_.refresh_every;
  }
  if (refresh_due_) actions.push_back(ArmTimer{SessionTimer::refresh, *refresh_due_});
  append(actions, probe_step(now));
  return actions;
}

SessionActions SessionMachine::probe_step(Time now) {
  SessionActions actions;
  switch (probe_->step(now)) {
    case RegistrationProbe::Step::ask:
      actions.push_back(SendProbe{});
      break;
    case RegistrationProbe::Step::reconnect:
      actions.push_back(WriteLog{LogLevel::warn, "route_lost",
                                 "the core no longer knows the way to this satellite",
                                 std::nullopt});
      append(actions, close(CloseCode::normal, "Route lost"));
      return actions;
    case RegistrationProbe::Step::wait:
      if (probe_->unanswered() == 0 || silence_logged_) break;
      silence_logged_ = true;
      actions.push_back(WriteLog{LogLevel::info, "route_unproven",
                                 "the core has not said whether it knows the way to this "
                                 "satellite: it is slow or too old to be asked; it is asked again",
                                 std::nullopt});
      break;
  }
  actions.push_back(ArmTimer{SessionTimer::probe, probe_->next()});
  return actions;
}

/// The existing core pushes few edits, but sends them all after authentication. The scheduler keeps
/// its timers and the times of last runs, so that nothing runs because of a refresh.
SessionActions SessionMachine::refresh_when_settled(const SessionFacts& facts) {
  if (!refresh_due_ || facts.now < *refresh_due_) return {};
  if (facts.replies_pending && facts.now < *refresh_due_ + replies_deadline) {
    state_ = SessionState::awaiting_replies;
    return {ArmTimer{SessionTimer::refresh, *refresh_due_ + replies_deadline}};
  }
  end_ = ConnectionEnd::refreshed;
  return close(CloseCode::normal, "Refresh");
}

SessionActions SessionMachine::drain_or_close(const SessionFacts& facts) {
  if (facts.outbox_empty) return close(CloseCode::going_away, stop_reason);
  state_ = SessionState::draining;
  return {ArmTimer{SessionTimer::deadline, facts.now + limits::close_deadline}};
}

SessionActions SessionMachine::close_for(ConnectionEnd end) {
  end_ = end;
  return end == ConnectionEnd::unauthorised ? close(CloseCode::unauthorised, "Auth failed")
                                            : close(CloseCode::normal, stop_reason);
}

SessionActions SessionMachine::close(CloseCode code, std::string reason) {
  state_ = SessionState::closing;
  return {CloseLink{code, std::move(reason)}};
}

SessionActions SessionMachine::end_with(const SessionFacts& facts,
                                        std::optional<CloseLink> closing) {
  state_ = SessionState::ended;
  SessionActions actions;
  if (end_ == ConnectionEnd::refreshed) {
    const char* const why = was_reloaded_ ? "connects anew with what was reloaded"
                                          : "connects anew to be told what the core does not push";
    actions.push_back(WriteLog{LogLevel::info, "refreshing", why, std::nullopt});
  } else {
    const Error why = facts.why.value_or(Error{ErrorCode::internal, "ended without a reason"});
    actions.push_back(WriteLog{LogLevel::warn, "disconnected", why.message, why.code});
  }
  if (closing) actions.push_back(*std::move(closing));
  actions.push_back(EndLoops{});
  return actions;
}

std::optional<bool> SessionMachine::core_answers_probe() const {
  if (!probe_) return std::nullopt;
  if (probe_->answered_here()) return true;
  // Silent once may be slow; twice, and what was known of it no longer holds.
  if (probe_->unanswered() > 1) return false;
  return std::nullopt;
}

}  // namespace satellite::agent
