#pragma once

#include "agent/connection/close_code.hpp"
#include "agent/connection/reconnect_policy.hpp"
#include "agent/connection/registration_probe.hpp"
#include "agent/runtime/log_level.hpp"
#include "protocol/vocabulary/error.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace satellite::agent {

/// Where one connected period stands.
enum class SessionState {
  connecting,        ///< DNS, TCP, TLS, upgrade; ends with the `authenticate` frame written
  authenticating,    ///< waits for the core's answer
  serving,           ///< authenticated
  awaiting_replies,  ///< as serving, but a refresh is due and checks wait for secrets
  draining,          ///< the agent stops: what waits in the outbox goes out first
  closing,           ///< the closing handshake was asked for
  ended,             ///< the connection is over; the loops come to their ends
};

/// What a session learns, one thing at a time.
enum class SessionEvent {
  opened,                  ///< the link is up and the `authenticate` frame is written
  connect_failed,          ///< there is no link
  authenticated,           ///< by the core
  refused,                 ///< the core does not accept id or token
  shut_down,               ///< the core tells this satellite to stop
  registration_confirmed,  ///< the core answered the registration probe
  link_ended,              ///< reading, writing, liveness or the closing handshake ended the link
  deadline_passed,         ///< SessionTimer::deadline
  heartbeat_due,           ///< SessionTimer::heartbeat
  probe_due,               ///< SessionTimer::probe
  refresh_due,             ///< SessionTimer::refresh
  replies_settled,         ///< no check waits for a reply of the core any more
  stop_asked,              ///< by the agent
  reload_asked,            ///< by the agent: what a connection begins with has changed
  outbox_empty,            ///< nothing waits and nothing is unacknowledged
};

constexpr std::size_t session_state_count = static_cast<std::size_t>(SessionState::ended) + 1;
constexpr std::size_t session_event_count =
    static_cast<std::size_t>(SessionEvent::outbox_empty) + 1;

/// Each timer fires at most once after it was armed; arming it again moves it.
enum class SessionTimer { deadline, heartbeat, probe, refresh };
constexpr std::size_t session_timer_count = static_cast<std::size_t>(SessionTimer::refresh) + 1;

/// What the session's surroundings look like when an event arrives.
struct SessionFacts {
  std::chrono::steady_clock::time_point now;
  bool outbox_empty = false;
  bool replies_pending = false;  ///< a check waits for a reply of the core
  std::optional<Error> why;      ///< with link_ended
};

// What the session does; in the order of the list.
struct ArmTimer {
  SessionTimer timer;
  std::chrono::steady_clock::time_point at;
};
struct WriteLog {
  LogLevel level;
  std::string_view event;
  std::string text;
  std::optional<ErrorCode> code;
};
struct RaiseFrameLimit {};  ///< to what an authenticated core may send
struct SendHeartbeat {};
struct SendProbe {};  ///< ask the core whether it still has this satellite registered
struct CloseLink {    ///< begin the closing handshake
  CloseCode code = CloseCode::normal;
  std::string reason;
};
struct EndLoops {};  ///< wake every loop of the session: it finds the state `ended`

using SessionAction = std::variant<ArmTimer, WriteLog, RaiseFrameLimit, SendHeartbeat, SendProbe,
                                   CloseLink, EndLoops>;
using SessionActions = std::vector<SessionAction>;

/// The decisions of one connected period. Pure: no sockets, no clock, no log; timeouts are data in
/// the actions.
///
/// Shape:  step() for each event, in the order in which they happen; an event that means nothing in
///         a state does nothing there. The first reason to close wins and names code and reason of
///         the close frame; the link is closed exactly once, also after it broke, because reading
///         and liveness end only then.
/// Source: core-contract 1.2, 1.6.
class SessionMachine {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Settings {
    Time deadline;                          ///< from the first DNS lookup to the core's answer
    std::chrono::seconds refresh_every{0};  ///< zero = never
    RegistrationProbe::Settings probe;
  };
  explicit SessionMachine(Settings settings) : settings_(settings) {}

  SessionActions step(SessionEvent event, const SessionFacts& facts);

  SessionState state() const { return state_; }
  bool ended() const { return state_ == SessionState::ended; }
  /// How the connection ended, for the pause before the next one.
  ConnectionEnd end() const { return end_; }
  std::optional<Time> authenticated_at() const { return authenticated_at_; }
  /// Whether the core answers the registration probe; nothing if that is as unknown as before.
  std::optional<bool> core_answers_probe() const;

 private:
  SessionActions connecting(SessionEvent event);
  SessionActions authenticating(SessionEvent event, const SessionFacts& facts);
  SessionActions serving(SessionEvent event, const SessionFacts& facts);
  SessionActions draining(SessionEvent event, const SessionFacts& facts);
  SessionActions closing(SessionEvent event, const SessionFacts& facts);

  SessionActions serve(Time now);
  SessionActions probe_step(Time now);
  SessionActions refresh_when_settled(const SessionFacts& facts);
  SessionActions drain_or_close(const SessionFacts& facts);
  /// The core refused this satellite, or told it to stop.
  SessionActions close_for(ConnectionEnd end);
  SessionActions close(CloseCode code, std::string reason);
  /// The link is gone; `closing` is performed if nothing asked it to close before.
  SessionActions end_with(const SessionFacts& facts, std::optional<CloseLink> closing);

  Settings settings_;
  SessionState state_ = SessionState::connecting;
  ConnectionEnd end_ = ConnectionEnd::lost;
  std::optional<Time> authenticated_at_;
  std::optional<Time> refresh_due_;
  bool was_reloaded_ = false;
  std::optional<RegistrationProbe> probe_;
  bool silence_logged_ = false;
};

}  // namespace satellite::agent
