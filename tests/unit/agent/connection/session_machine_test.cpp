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
using State = SessionState;
using Event = SessionEvent;

namespace {

constexpr SessionMachine::Time start{1h};

const char* word(State state) {
  constexpr std::array<const char*, session_state_count> words{
      "connecting", "authenticating", "serving", "awaiting_replies",
      "draining",   "closing",        "ended"};
  return words.at(static_cast<std::size_t>(state));
}

const char* word(Event event) {
  constexpr std::array<const char*, session_event_count> words{
      "opened",       "connect_failed",  "authenticated",   "refused",       "shut_down",
      "registration", "link_ended",      "deadline_passed", "heartbeat_due", "probe_due",
      "refresh_due",  "replies_settled", "stop_asked",      "outbox_empty"};
  return words.at(static_cast<std::size_t>(event));
}

struct Words {
  std::string operator()(const ArmTimer& action) const {
    constexpr std::array<const char*, session_timer_count> timers{"deadline", "heartbeat", "probe",
                                                                  "refresh"};
    const auto in = std::chrono::duration_cast<std::chrono::seconds>(action.at - start);
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

std::string in_words(const SessionMachine& machine, const SessionActions& actions) {
  std::string text = word(machine.state());
  for (const SessionAction& action : actions) text += "; " + std::visit(Words{}, action);
  return text;
}

SessionMachine::Settings settings() {
  SessionMachine::Settings settings;
  settings.deadline = start + 30s;
  settings.refresh_every = 100s;
  settings.probe.ask_every = 60s;
  return settings;
}

SessionFacts at(std::chrono::seconds since, bool outbox_empty = false,
                bool replies_pending = false) {
  return {start + since, outbox_empty, replies_pending,
          Error{ErrorCode::unavailable, "the connection broke"}};
}

/// A machine in that state, a hundred seconds after the start at the latest.
SessionMachine machine_in(State state) {
  SessionMachine machine(settings());
  if (state == State::connecting) return machine;
  machine.step(Event::opened, at(1s));
  if (state == State::authenticating) return machine;
  machine.step(Event::authenticated, at(2s));
  if (state == State::awaiting_replies) machine.step(Event::refresh_due, at(102s, false, true));
  if (state == State::draining) machine.step(Event::stop_asked, at(3s));
  if (state == State::closing) machine.step(Event::stop_asked, at(3s, true));
  if (state == State::ended) machine.step(Event::link_ended, at(3s));
  return machine;
}

/// What each event does in each state, 110 s after the start, while the outbox holds something and
/// a check waits for a reply.
const std::vector<std::pair<State, std::vector<std::pair<Event, std::string>>>> table{
    {State::connecting,
     {{Event::opened, "authenticating; arm deadline at 30"},
      {Event::connect_failed, "ended"},
      {Event::authenticated, "connecting"},
      {Event::refused, "connecting"},
      {Event::shut_down, "connecting"},
      {Event::registration_confirmed, "connecting"},
      {Event::link_ended, "connecting"},
      {Event::deadline_passed, "connecting"},
      {Event::heartbeat_due, "connecting"},
      {Event::probe_due, "connecting"},
      {Event::refresh_due, "connecting"},
      {Event::replies_settled, "connecting"},
      {Event::stop_asked, "closing; close 1000 'Client shutdown'"},
      {Event::outbox_empty, "connecting"}}},
    {State::authenticating,
     {{Event::opened, "authenticating"},
      {Event::connect_failed, "authenticating"},
      {Event::authenticated,
       "serving; raise limit; arm heartbeat at 125; arm refresh at 210; probe; arm probe at 120"},
      {Event::refused, "closing; close 4001 'Auth failed'"},
      {Event::shut_down, "closing; close 1000 'Client shutdown'"},
      {Event::registration_confirmed, "authenticating"},
      {Event::link_ended, "ended; log disconnected; close 1000 ''; end"},
      {Event::deadline_passed,
       "closing; log authentication_timed_out; close 1008 'authentication timed out'"},
      {Event::heartbeat_due, "authenticating"},
      {Event::probe_due, "authenticating"},
      {Event::refresh_due, "authenticating"},
      {Event::replies_settled, "authenticating"},
      {Event::stop_asked, "closing; close 1000 'Client shutdown'"},
      {Event::outbox_empty, "authenticating"}}},
    {State::serving,
     {{Event::opened, "serving"},
      {Event::connect_failed, "serving"},
      {Event::authenticated, "serving"},
      {Event::refused, "closing; close 4001 'Auth failed'"},
      {Event::shut_down, "closing; close 1000 'Client shutdown'"},
      {Event::registration_confirmed, "serving"},
      {Event::link_ended, "ended; log disconnected; close 1000 ''; end"},
      {Event::deadline_passed, "serving"},
      {Event::heartbeat_due, "serving; heartbeat; arm heartbeat at 125"},
      {Event::probe_due, "serving; log route_unproven; arm probe at 62"},
      {Event::refresh_due, "awaiting_replies; arm refresh at 132"},
      {Event::replies_settled, "awaiting_replies; arm refresh at 132"},
      {Event::stop_asked, "draining; arm deadline at 115"},
      {Event::outbox_empty, "serving"}}},
    {State::awaiting_replies,
     {{Event::opened, "awaiting_replies"},
      {Event::connect_failed, "awaiting_replies"},
      {Event::authenticated, "awaiting_replies"},
      {Event::refused, "closing; close 4001 'Auth failed'"},
      {Event::shut_down, "closing; close 1000 'Client shutdown'"},
      {Event::registration_confirmed, "awaiting_replies"},
      {Event::link_ended, "ended; log disconnected; close 1000 ''; end"},
      {Event::deadline_passed, "awaiting_replies"},
      {Event::heartbeat_due, "awaiting_replies; heartbeat; arm heartbeat at 125"},
      {Event::probe_due, "awaiting_replies; log route_unproven; arm probe at 62"},
      {Event::refresh_due, "awaiting_replies; arm refresh at 132"},
      {Event::replies_settled, "awaiting_replies; arm refresh at 132"},
      {Event::stop_asked, "draining; arm deadline at 115"},
      {Event::outbox_empty, "awaiting_replies"}}},
    {State::draining,
     {{Event::opened, "draining"},
      {Event::connect_failed, "draining"},
      {Event::authenticated, "draining"},
      {Event::refused, "draining"},
      {Event::shut_down, "draining"},
      {Event::registration_confirmed, "draining"},
      {Event::link_ended, "ended; log disconnected; close 1000 'Client shutdown'; end"},
      {Event::deadline_passed, "closing; close 1000 'Client shutdown'"},
      {Event::heartbeat_due, "draining; heartbeat; arm heartbeat at 125"},
      {Event::probe_due, "draining"},
      {Event::refresh_due, "draining"},
      {Event::replies_settled, "draining"},
      {Event::stop_asked, "draining"},
      {Event::outbox_empty, "closing; close 1000 'Client shutdown'"}}},
    {State::closing,
     {{Event::opened, "closing"},
      {Event::connect_failed, "ended"},
      {Event::authenticated, "closing; raise limit"},
      {Event::refused, "closing"},
      {Event::shut_down, "closing"},
      {Event::registration_confirmed, "closing"},
      {Event::link_ended, "ended; log disconnected; end"},
      {Event::deadline_passed, "closing"},
      {Event::heartbeat_due, "closing"},
      {Event::probe_due, "closing"},
      {Event::refresh_due, "closing"},
      {Event::replies_settled, "closing"},
      {Event::stop_asked, "closing"},
      {Event::outbox_empty, "closing"}}},
    {State::ended,
     {{Event::opened, "ended"},
      {Event::connect_failed, "ended"},
      {Event::authenticated, "ended"},
      {Event::refused, "ended"},
      {Event::shut_down, "ended"},
      {Event::registration_confirmed, "ended"},
      {Event::link_ended, "ended"},
      {Event::deadline_passed, "ended"},
      {Event::heartbeat_due, "ended"},
      {Event::probe_due, "ended"},
      {Event::refresh_due, "ended"},
      {Event::replies_settled, "ended"},
      {Event::stop_asked, "ended"},
      {Event::outbox_empty, "ended"}}},
};

}  // namespace

TEST_CASE("each event has its effect in each state of a session, and none is left out") {
  std::set<std::pair<State, Event>> seen;
  for (const auto& [state, row] : table) {
    for (const auto& [event, expected] : row) {
      INFO(word(event) << " while " << word(state));
      SessionMachine machine = machine_in(state);
      REQUIRE(machine.state() == state);
      const SessionActions actions = machine.step(event, at(110s, false, true));
      CHECK(in_words(machine, actions) == expected);
      CHECK(seen.emplace(state, event).second);
    }
  }
  CHECK(seen.size() == session_state_count * session_event_count);
}

TEST_CASE("a refresh waits for replies: until the last one came, thirty seconds at most") {
  SessionMachine machine = machine_in(State::awaiting_replies);
  SECTION("the last reply came") {
    const auto actions = machine.step(Event::replies_settled, at(103s));
    CHECK(in_words(machine, actions) == "closing; close 1000 'Refresh'");
  }
  SECTION("the patience is over") {
    const auto actions = machine.step(Event::refresh_due, at(132s, false, true));
    CHECK(in_words(machine, actions) == "closing; close 1000 'Refresh'");
  }
  CHECK(machine.end() == ConnectionEnd::refreshed);
  const auto ended = machine.step(Event::link_ended, at(133s));
  CHECK(in_words(machine, ended) == "ended; log refreshing; end");
}

TEST_CASE("replies do not bring a refresh forward, and without the setting there is none") {
  SessionMachine machine = machine_in(State::serving);
  CHECK(machine.step(Event::replies_settled, at(101s)).empty());
  CHECK(machine.state() == State::serving);
  SessionMachine::Settings never = settings();
  never.refresh_every = 0s;
  SessionMachine other(never);
  other.step(Event::opened, at(1s));
  const auto actions = other.step(Event::authenticated, at(2s));
  CHECK(in_words(other, actions) ==
        "serving; raise limit; arm heartbeat at 17; probe; arm probe at 12");
  CHECK(other.step(Event::replies_settled, at(1'000s)).empty());
}

TEST_CASE("a stop with nothing to say closes at once; what the core says meanwhile still counts") {
  SessionMachine machine = machine_in(State::serving);
  const auto actions = machine.step(Event::stop_asked, at(3s, true));
  CHECK(in_words(machine, actions) == "closing; close 1000 'Client shutdown'");
  CHECK(machine.end() == ConnectionEnd::lost);
  machine.step(Event::shut_down, at(3s));
  CHECK(machine.end() == ConnectionEnd::shut_down);
  machine.step(Event::refused, at(3s));
  CHECK(machine.end() == ConnectionEnd::unauthorised);
}

TEST_CASE("only the first reason to close is performed") {
  SessionMachine machine = machine_in(State::authenticating);
  CHECK(machine.step(Event::refused, at(2s)).size() == 1);
  CHECK(machine.step(Event::deadline_passed, at(30s)).empty());
  CHECK(machine.step(Event::stop_asked, at(30s)).empty());
  CHECK(machine.end() == ConnectionEnd::unauthorised);
}

TEST_CASE("a core that answered the probe and then owes two answers has lost the registration") {
  SessionMachine machine = machine_in(State::serving);
  CHECK_FALSE(machine.core_answers_probe());
  machine.step(Event::registration_confirmed, at(3s));
  CHECK(machine.core_answers_probe() == true);
  CHECK(in_words(machine, machine.step(Event::probe_due, at(62s))) ==
        "serving; probe; arm probe at 72");
  CHECK(in_words(machine, machine.step(Event::probe_due, at(72s))) ==
        "serving; probe; arm probe at 82");
  CHECK(in_words(machine, machine.step(Event::probe_due, at(82s))) ==
        "closing; log route_lost; close 1000 'Route lost'");
}

TEST_CASE("silence of a core that never answered the probe is logged once per connection") {
  SessionMachine machine = machine_in(State::serving);
  CHECK(in_words(machine, machine.step(Event::probe_due, at(12s))) ==
        "serving; log route_unproven; arm probe at 62");
  CHECK(in_words(machine, machine.step(Event::probe_due, at(62s))) ==
        "serving; probe; arm probe at 72");
  CHECK(in_words(machine, machine.step(Event::probe_due, at(72s))) == "serving; arm probe at 182");
  CHECK(machine.core_answers_probe() == false);
}

TEST_CASE("the time of authentication is known also when it came too late to serve") {
  SessionMachine machine = machine_in(State::authenticating);
  machine.step(Event::deadline_passed, at(30s));
  CHECK_FALSE(machine.authenticated_at());
  machine.step(Event::authenticated, at(31s));
  CHECK(machine.authenticated_at() == start + 31s);
  CHECK(machine.state() == State::closing);
}
