#include "agent/connection/session_machine.hpp"

#include "protocol/vocabulary/limits.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace satellite;
using namespace satellite::agent;
using namespace std::chrono_literals;

namespace {

constexpr SessionMachine::Time session_start{1h};

const char* session_word(SessionState state) {
  constexpr std::array<const char*, session_state_count> words{
      "connecting", "authenticating", "serving", "awaiting_replies",
      "draining",   "closing",        "ended"};
  return words.at(static_cast<std::size_t>(state));
}

const char* session_word(SessionEvent event) {
  constexpr std::array<const char*, session_event_count> words{
      "opened",       "connect_failed",  "authenticated",   "refused",       "shut_down",
      "registration", "link_ended",      "deadline_passed", "heartbeat_due", "probe_due",
      "refresh_due",  "replies_settled", "stop_asked",      "reload_asked",  "outbox_empty"};
  return words.at(static_cast<std::size_t>(event));
}

struct SessionWords {
  std::string operator()(const ArmTimer& action) const {
    constexpr std::array<const char*, session_timer_count> timers{"deadline", "heartbeat", "probe",
                                                                  "refresh"};
    const auto in = std::chrono::duration_cast<std::chrono::seconds>(action.at - session_start);
    return std::string("arm ") + timers.at(static_cast<std::size_t>(action.timer)) + " at " +
           std::to_string(in.count());
  }
  std::string operator()(const WriteLog& action) const {
    return "log " + std::string(action.event);
  }
  std::string operator()(const RaiseFrameLimit&) const { return "raise limit"; }
  std::string operator()(const SendHeartbeat&) const { return "heartbeat"; }
  std::string operator()(const SendProbe&) const { return "probe"; }
  std::string operator()(const CloseLink& action) const {
    return "close " + std::to_string(static_cast<unsigned>(action.code)) + " '" + action.reason +
           "'";
  }
  std::string operator()(const EndLoops&) const { return "end"; }
};

std::string in_session_words(const SessionMachine& machine, const SessionActions& actions) {
  std::string text = session_word(machine.state());
  for (const SessionAction& action : actions) text += "; " + std::visit(SessionWords{}, action);
  return text;
}

SessionMachine::Settings session_settings() {
  SessionMachine::Settings settings;
  settings.deadline = session_start + 30s;
  settings.refresh_every = 100s;
  settings.probe.ask_every = 60s;
  return settings;
}

SessionFacts facts_at(std::chrono::seconds since, bool outbox_empty = false,
                      bool replies_pending = false) {
  return {session_start + since, outbox_empty, replies_pending,
          Error{ErrorCode::unavailable, "the connection broke"}};
}

/// A machine in that state, a hundred seconds after the start at the latest.
SessionMachine machine_in(SessionState state) {
  SessionMachine machine(session_settings());
  if (state == SessionState::connecting) return machine;
  machine.step(SessionEvent::opened, facts_at(1s));
  if (state == SessionState::authenticating) return machine;
  machine.step(SessionEvent::authenticated, facts_at(2s));
  if (state == SessionState::awaiting_replies)
    machine.step(SessionEvent::refresh_due, facts_at(102s, false, true));
  if (state == SessionState::draining) machine.step(SessionEvent::stop_asked, facts_at(3s));
  if (state == SessionState::closing) machine.step(SessionEvent::stop_asked, facts_at(3s, true));
  if (state == SessionState::ended) machine.step(SessionEvent::link_ended, facts_at(3s));
  return machine;
}

/// What each event does in each state, 110 s after the start, while the outbox holds something and
/// a check waits for a reply.
const std::vector<std::pair<SessionState, std::vector<std::pair<SessionEvent, std::string>>>>
    session_table{
        {SessionState::connecting,
         {{SessionEvent::opened, "authenticating; arm deadline at 30"},
          {SessionEvent::connect_failed, "ended"},
          {SessionEvent::authenticated, "connecting"},
          {SessionEvent::refused, "connecting"},
          {SessionEvent::shut_down, "connecting"},
          {SessionEvent::registration_confirmed, "connecting"},
          {SessionEvent::link_ended, "connecting"},
          {SessionEvent::deadline_passed, "connecting"},
          {SessionEvent::heartbeat_due, "connecting"},
          {SessionEvent::probe_due, "connecting"},
          {SessionEvent::refresh_due, "connecting"},
          {SessionEvent::replies_settled, "connecting"},
          {SessionEvent::stop_asked, "closing; close 1001 'Client shutdown'"},
          {SessionEvent::reload_asked, "connecting"},
          {SessionEvent::outbox_empty, "connecting"}}},
        {SessionState::authenticating,
         {{SessionEvent::opened, "authenticating"},
          {SessionEvent::connect_failed, "authenticating"},
          {SessionEvent::authenticated,
           "serving; raise limit; arm heartbeat at 125; arm refresh at 210; probe; arm probe at "
           "120"},
          {SessionEvent::refused, "closing; close 4001 'Auth failed'"},
          {SessionEvent::shut_down, "closing; close 1000 'Client shutdown'"},
          {SessionEvent::registration_confirmed, "authenticating"},
          {SessionEvent::link_ended, "ended; log disconnected; close 1000 ''; end"},
          {SessionEvent::deadline_passed,
           "closing; log authentication_timed_out; close 1008 'authentication timed out'"},
          {SessionEvent::heartbeat_due, "authenticating"},
          {SessionEvent::probe_due, "authenticating"},
          {SessionEvent::refresh_due, "authenticating"},
          {SessionEvent::replies_settled, "authenticating"},
          {SessionEvent::stop_asked, "closing; close 1001 'Client shutdown'"},
          {SessionEvent::reload_asked, "authenticating"},
          {SessionEvent::outbox_empty, "authenticating"}}},
        {SessionState::serving,
         {{SessionEvent::opened, "serving"},
          {SessionEvent::connect_failed, "serving"},
          {SessionEvent::authenticated, "serving"},
          {SessionEvent::refused, "closing; close 4001 'Auth failed'"},
          {SessionEvent::shut_down, "closing; close 1000 'Client shutdown'"},
          {SessionEvent::registration_confirmed, "serving"},
          {SessionEvent::link_ended, "ended; log disconnected; close 1000 ''; end"},
          {SessionEvent::deadline_passed, "serving"},
          {SessionEvent::heartbeat_due, "serving; heartbeat; arm heartbeat at 125"},
          {SessionEvent::probe_due, "serving; log route_unproven; arm probe at 62"},
          {SessionEvent::refresh_due, "awaiting_replies; arm refresh at 132"},
          {SessionEvent::replies_settled, "awaiting_replies; arm refresh at 132"},
          {SessionEvent::stop_asked, "draining; arm deadline at 115"},
          {SessionEvent::reload_asked, "awaiting_replies; arm refresh at 140"},
          {SessionEvent::outbox_empty, "serving"}}},
        {SessionState::awaiting_replies,
         {{SessionEvent::opened, "awaiting_replies"},
          {SessionEvent::connect_failed, "awaiting_replies"},
          {SessionEvent::authenticated, "awaiting_replies"},
          {SessionEvent::refused, "closing; close 4001 'Auth failed'"},
          {SessionEvent::shut_down, "closing; close 1000 'Client shutdown'"},
          {SessionEvent::registration_confirmed, "awaiting_replies"},
          {SessionEvent::link_ended, "ended; log disconnected; close 1000 ''; end"},
          {SessionEvent::deadline_passed, "awaiting_replies"},
          {SessionEvent::heartbeat_due, "awaiting_replies; heartbeat; arm heartbeat at 125"},
          {SessionEvent::probe_due, "awaiting_replies; log route_unproven; arm probe at 62"},
          {SessionEvent::refresh_due, "awaiting_replies; arm refresh at 132"},
          {SessionEvent::replies_settled, "awaiting_replies; arm refresh at 132"},
          {SessionEvent::stop_asked, "draining; arm deadline at 115"},
          {SessionEvent::reload_asked, "awaiting_replies; arm refresh at 140"},
          {SessionEvent::outbox_empty, "awaiting_replies"}}},
        {SessionState::draining,
         {{SessionEvent::opened, "draining"},
          {SessionEvent::connect_failed, "draining"},
          {SessionEvent::authenticated, "draining"},
          {SessionEvent::refused, "draining"},
          {SessionEvent::shut_down, "draining"},
          {SessionEvent::registration_confirmed, "draining"},
          {SessionEvent::link_ended, "ended; log disconnected; close 1001 'Client shutdown'; end"},
          {SessionEvent::deadline_passed, "closing; close 1001 'Client shutdown'"},
          {SessionEvent::heartbeat_due, "draining; heartbeat; arm heartbeat at 125"},
          {SessionEvent::probe_due, "draining"},
          {SessionEvent::refresh_due, "draining"},
          {SessionEvent::replies_settled, "draining"},
          {SessionEvent::stop_asked, "draining"},
          {SessionEvent::reload_asked, "draining"},
          {SessionEvent::outbox_empty, "closing; close 1001 'Client shutdown'"}}},
        {SessionState::closing,
         {{SessionEvent::opened, "closing"},
          {SessionEvent::connect_failed, "ended"},
          {SessionEvent::authenticated, "closing; raise limit"},
          {SessionEvent::refused, "closing"},
          {SessionEvent::shut_down, "closing"},
          {SessionEvent::registration_confirmed, "closing"},
          {SessionEvent::link_ended, "ended; log disconnected; end"},
          {SessionEvent::deadline_passed, "closing"},
          {SessionEvent::heartbeat_due, "closing"},
          {SessionEvent::probe_due, "closing"},
          {SessionEvent::refresh_due, "closing"},
          {SessionEvent::replies_settled, "closing"},
          {SessionEvent::stop_asked, "closing"},
          {SessionEvent::reload_asked, "closing"},
          {SessionEvent::outbox_empty, "closing"}}},
        {SessionState::ended,
         {{SessionEvent::opened, "ended"},
          {SessionEvent::connect_failed, "ended"},
          {SessionEvent::authenticated, "ended"},
          {SessionEvent::refused, "ended"},
          {SessionEvent::shut_down, "ended"},
          {SessionEvent::registration_confirmed, "ended"},
          {SessionEvent::link_ended, "ended"},
          {SessionEvent::deadline_passed, "ended"},
          {SessionEvent::heartbeat_due, "ended"},
          {SessionEvent::probe_due, "ended"},
          {SessionEvent::refresh_due, "ended"},
          {SessionEvent::replies_settled, "ended"},
          {SessionEvent::stop_asked, "ended"},
          {SessionEvent::reload_asked, "ended"},
          {SessionEvent::outbox_empty, "ended"}}},
    };

}  // namespace

TEST_CASE("each event has its effect in each state of a session, and none is left out") {
  std::set<std::pair<SessionState, SessionEvent>> seen;
  for (const auto& [state, row] : session_table) {
    for (const auto& [event, expected] : row) {
      INFO(session_word(event) << " while " << session_word(state));
      SessionMachine machine = machine_in(state);
      REQUIRE(machine.state() == state);
      const SessionActions actions = machine.step(event, facts_at(110s, false, true));
      CHECK(in_session_words(machine, actions) == expected);
      CHECK(seen.emplace(state, event).second);
    }
  }
  CHECK(seen.size() == session_state_count * session_event_count);
}

TEST_CASE("a refresh waits for replies: until the last one came, thirty seconds at most") {
  SessionMachine machine = machine_in(SessionState::awaiting_replies);
  SECTION("the last reply came") {
    const auto actions = machine.step(SessionEvent::replies_settled, facts_at(103s));
    CHECK(in_session_words(machine, actions) == "closing; close 1000 'Refresh'");
  }
  SECTION("the patience is over") {
    const auto actions = machine.step(SessionEvent::refresh_due, facts_at(132s, false, true));
    CHECK(in_session_words(machine, actions) == "closing; close 1000 'Refresh'");
  }
  CHECK(machine.end() == ConnectionEnd::refreshed);
  const auto ended = machine.step(SessionEvent::link_ended, facts_at(133s));
  CHECK(in_session_words(machine, ended) == "ended; log refreshing; end");
}

TEST_CASE("replies do not bring a refresh forward, and without the setting there is none") {
  SessionMachine machine = machine_in(SessionState::serving);
  CHECK(machine.step(SessionEvent::replies_settled, facts_at(101s)).empty());
  CHECK(machine.state() == SessionState::serving);
  SessionMachine::Settings never = session_settings();
  never.refresh_every = 0s;
  SessionMachine other(never);
  other.step(SessionEvent::opened, facts_at(1s));
  const auto actions = other.step(SessionEvent::authenticated, facts_at(2s));
  CHECK(in_session_words(other, actions) ==
        "serving; raise limit; arm heartbeat at 17; probe; arm probe at 12");
  CHECK(other.step(SessionEvent::replies_settled, facts_at(1'000s)).empty());
}

TEST_CASE("a stop with nothing to say closes at once, what the core says meanwhile still counts") {
  SessionMachine machine = machine_in(SessionState::serving);
  const auto actions = machine.step(SessionEvent::stop_asked, facts_at(3s, true));
  CHECK(in_session_words(machine, actions) == "closing; close 1001 'Client shutdown'");
  CHECK(machine.end() == ConnectionEnd::lost);
  machine.step(SessionEvent::shut_down, facts_at(3s));
  CHECK(machine.end() == ConnectionEnd::shut_down);
  machine.step(SessionEvent::refused, facts_at(3s));
  CHECK(machine.end() == ConnectionEnd::unauthorised);
}

TEST_CASE("a reload before the core has answered makes the connection anew right after it") {
  const auto state = GENERATE(SessionState::connecting, SessionState::authenticating);
  SessionMachine machine = machine_in(state);
  CHECK(machine.step(SessionEvent::reload_asked, facts_at(1s)).empty());
  if (state == SessionState::connecting) machine.step(SessionEvent::opened, facts_at(1s));
  const auto served = machine.step(SessionEvent::authenticated, facts_at(2s));
  CHECK(in_session_words(machine, served) ==
        "serving; raise limit; arm heartbeat at 17; arm refresh at 2; probe; arm probe at 12");
  const auto actions = machine.step(SessionEvent::refresh_due, facts_at(2s));
  CHECK(in_session_words(machine, actions) == "closing; close 1000 'Refresh'");
  CHECK(machine.end() == ConnectionEnd::refreshed);
}

TEST_CASE("only the first reason to close is performed") {
  SessionMachine machine = machine_in(SessionState::authenticating);
  CHECK(machine.step(SessionEvent::refused, facts_at(2s)).size() == 1);
  CHECK(machine.step(SessionEvent::deadline_passed, facts_at(30s)).empty());
  CHECK(machine.step(SessionEvent::stop_asked, facts_at(30s)).empty());
  CHECK(machine.end() == ConnectionEnd::unauthorised);
}

TEST_CASE("a core that answered the probe and then owes two answers has lost the registration") {
  SessionMachine machine = machine_in(SessionState::serving);
  CHECK_FALSE(machine.core_answers_probe());
  machine.step(SessionEvent::registration_confirmed, facts_at(3s));
  CHECK(machine.core_answers_probe() == true);
  CHECK(in_session_words(machine, machine.step(SessionEvent::probe_due, facts_at(62s))) ==
        "serving; probe; arm probe at 72");
  CHECK(in_session_words(machine, machine.step(SessionEvent::probe_due, facts_at(72s))) ==
        "serving; probe; arm probe at 82");
  CHECK(in_session_words(machine, machine.step(SessionEvent::probe_due, facts_at(82s))) ==
        "closing; log route_lost; close 1000 'Route lost'");
}

TEST_CASE("silence of a core that never answered the probe is logged once per connection") {
  SessionMachine machine = machine_in(SessionState::serving);
  CHECK(in_session_words(machine, machine.step(SessionEvent::probe_due, facts_at(12s))) ==
        "serving; log route_unproven; arm probe at 62");
  CHECK(in_session_words(machine, machine.step(SessionEvent::probe_due, facts_at(62s))) ==
        "serving; probe; arm probe at 72");
  CHECK(in_session_words(machine, machine.step(SessionEvent::probe_due, facts_at(72s))) ==
        "serving; arm probe at 182");
  CHECK(machine.core_answers_probe() == false);
}

TEST_CASE("the time of authentication is known also when it came too late to serve") {
  SessionMachine machine = machine_in(SessionState::authenticating);
  machine.step(SessionEvent::deadline_passed, facts_at(30s));
  CHECK_FALSE(machine.authenticated_at());
  machine.step(SessionEvent::authenticated, facts_at(31s));
  CHECK(machine.authenticated_at() == session_start + 31s);
  CHECK(machine.state() == SessionState::closing);
}
