#include "agent/connection/session.hpp"

#include "agent/runtime/random_id.hpp"
#include "agent/runtime/version.hpp"
#include "protocol/encode.hpp"
#include "protocol/negotiation.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace satellite::agent {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using Clock = std::chrono::steady_clock;

namespace {

std::vector<std::string> announced_capabilities() {
  return {protocol::own_capabilities.begin(), protocol::own_capabilities.end()};
}

}  // namespace

Session::Session(Parts parts)
    : parts_(parts),
      changed_(parts.context),
      heartbeat_timer_(parts.context),
      deadline_timer_(parts.context),
      route_timer_(parts.context),
      refresh_timer_(parts.context) {}

asio::awaitable<EndedConnection> Session::run() {
  const auto deadline = Clock::now() + limits::connect_deadline;
  // Somebody who stops the agent does not wait for a core that does not answer.
  const auto opened = co_await (open(deadline) || changed_.wait());
  if (opened.index() == 1 || !std::get<0>(opened)) co_return ended_;
  co_await (read_frames() && write_frames() && keep_alive() && send_heartbeats() && watch_route() &&
            refresh_when_due() && close_when_asked(deadline));
  parts_.inbox.connection_lost();
  parts_.outbox.connection_lost();
  if (authenticated_) {
    ended_.authenticated_for =
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - authenticated_at_);
  }
  link_.reset();
  co_return ended_;
}

asio::awaitable<bool> Session::open(Clock::time_point deadline) {
  LinkSettings settings;
  settings.tls.ca_file = parts_.config.ca_file;
  settings.user_agent = std::string("checkstack-satellite/") + program_version;
  auto attempt = co_await connect_websocket(parts_.address, std::move(settings), deadline);
  if (!attempt.link) {
    ended_.retry_after = attempt.retry_after;
    parts_.log.warn("connect_failed", attempt.link.error().message,
                    {{"core", parts_.address.url()},
                     {"stage", name_of(attempt.stage)},
                     {"error_code", attempt.link.error().code}});
    co_return false;
  }
  link_ = *std::move(attempt.link);
  const LinkFacts& facts = attempt.facts;
  parts_.log.info("connected", "",
                  {{"core", parts_.address.url()},
                   {"peer", facts.peer},
                   {"tls", facts.tls_version},
                   {"in", facts.connected_in}});
  std::string frame = protocol::encode(protocol::Authenticate{
      parts_.config.client_id, parts_.token.duplicate(), announced_capabilities()});
  const auto written = co_await link_->write_and_wipe(std::move(frame));
  if (!written) {
    parts_.log.warn("connect_failed", written.error().message, {{"stage", "authenticate"}});
    co_return false;
  }
  co_return true;
}

void Session::end(const Error& why) {
  if (over_) return;
  over_ = true;
  if (ended_.end == ConnectionEnd::refreshed) {
    parts_.log.info("refreshing", "connects anew to be told what the core does not push");
  } else {
    parts_.log.warn("disconnected", why.message, {{"error_code", why.code}});
  }
  heartbeat_timer_.cancel();
  deadline_timer_.cancel();
  route_timer_.cancel();
  refresh_timer_.cancel();
  changed_.notify_all();
  parts_.outbox.changed().notify_all();
}

void Session::ask_to_close(CloseCode code, const std::string& reason) {
  if (close_asked_) return;
  close_asked_ = true;
  close_code_ = code;
  close_reason_ = reason;
  changed_.notify_all();
  deadline_timer_.cancel();
}

void Session::stop() {
  drains_first_ = true;
  ask_to_close(CloseCode::normal, "Client shutdown");
}

asio::awaitable<void> Session::read_frames() {
  while (true) {
    auto frame = co_await link_->read();
    if (!frame) {
      end(frame.error());
      co_return;
    }
    if (over_) continue;
    const auto verdict = co_await parts_.inbox.receive(*std::move(frame));
    if (!over_) take(verdict);
  }
}

void Session::take(SessionVerdict verdict) {
  switch (verdict) {
    case SessionVerdict::go_on:
      return;
    case SessionVerdict::authenticated:
      authenticated_ = true;
      authenticated_at_ = Clock::now();
      link_->set_frame_size_max(limits::frame_size_max);
      changed_.notify_all();
      return;
    case SessionVerdict::registration_confirmed:
      if (route_probe_) route_probe_->answered();
      return;
    case SessionVerdict::unauthorised:
      ended_.end = ConnectionEnd::unauthorised;
      return ask_to_close(CloseCode::unauthorised, "Auth failed");
    case SessionVerdict::shut_down:
      ended_.end = ConnectionEnd::shut_down;
      return ask_to_close(CloseCode::normal, "Client shutdown");
  }
}

asio::awaitable<void> Session::write_frames() {
  while (!over_) {
    auto outgoing = parts_.outbox.next();
    if (!outgoing) {
      // Whoever waits for the outbox to run empty looks now.
      changed_.notify_all();
      co_await parts_.outbox.changed().wait();
      continue;
    }
    Outbox::Outgoing kept;
    if (outgoing->returns()) kept = *outgoing;
    const auto written = co_await link_->write(std::move(outgoing->frame));
    if (written) continue;
    if (!kept.frame.empty()) parts_.outbox.put_back(std::move(kept));
    end(written.error());
  }
}

asio::awaitable<void> Session::keep_alive() {
  const auto dead = co_await link_->keep_alive();
  end(dead);
}

asio::awaitable<void> Session::send_heartbeats() {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  while (!over_ && !authenticated_) {
    co_await changed_.wait();
  }
  while (!over_) {
    heartbeat_timer_.expires_after(limits::heartbeat_interval);
    co_await heartbeat_timer_.async_wait(without_throwing);
    if (over_) co_return;
    const auto uptime =
        std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - parts_.process_started);
    parts_.outbox.push_for_this_connection(
        protocol::Heartbeat{program_version, uptime, announced_capabilities()});
  }
}

std::optional<bool> Session::core_answers_registration_probe() const {
  if (!route_probe_) return std::nullopt;
  if (route_probe_->answered_here()) return true;
  // Silent once may be slow; twice, and what was known of it no longer holds.
  if (route_probe_->unanswered() > 1) return false;
  return std::nullopt;
}

asio::awaitable<void> Session::watch_route() {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  while (!over_ && !authenticated_) {
    co_await changed_.wait();
  }
  RegistrationProbe::Settings settings;
  settings.ask_every = parts_.config.registration_probe_every;
  settings.core_answers = parts_.core_answers_registration_probe;
  bool silence_told = false;
  route_probe_.emplace(Clock::now(), settings);
  while (!over_ && !close_asked_) {
    switch (route_probe_->step(Clock::now())) {
      case RegistrationProbe::Step::ask: {
        RequestId id(random_id());
        parts_.inbox.expect_registration_answer(id);
        parts_.outbox.push_for_this_connection(
            protocol::CapabilitySecretRequest{std::move(id), "checkstack-satellite.route", "null"});
        break;
      }
      case RegistrationProbe::Step::reconnect:
        parts_.log.warn("route_lost", "the core no longer knows the way to this satellite");
        co_return ask_to_close(CloseCode::normal, "Route lost");
      case RegistrationProbe::Step::wait:
        if (route_probe_->unanswered() > 0 && !silence_told) {
          silence_told = true;
          parts_.log.info("route_unproven",
                          "the core has not said whether it knows the way to this satellite: it is "
                          "slow or too old to be asked; it is asked again");
        }
        break;
    }
    route_timer_.expires_at(route_probe_->next());
    co_await route_timer_.async_wait(without_throwing);
  }
}

/// The existing core pushes few edits; whoever authenticates is told all of them. The scheduler
/// keeps its timers and the times of last runs, so that nothing runs because of it.
asio::awaitable<void> Session::refresh_when_due() {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  constexpr std::chrono::seconds patience{30};  // as long as a reply may take
  constexpr std::chrono::milliseconds look_again{50};
  if (parts_.config.refresh_every.count() == 0) co_return;
  while (!over_ && !authenticated_) {
    co_await changed_.wait();
  }
  const auto due = authenticated_at_ + parts_.config.refresh_every;
  refresh_timer_.expires_at(due);
  while (!over_ && !close_asked_) {
    co_await refresh_timer_.async_wait(without_throwing);
    if (over_ || close_asked_) co_return;
    if (!parts_.inbox.awaits_replies() || Clock::now() > due + patience) {
      ended_.end = ConnectionEnd::refreshed;
      co_return ask_to_close(CloseCode::normal, "Refresh");
    }
    refresh_timer_.expires_after(look_again);
  }
}

asio::awaitable<void> Session::close_when_asked(Clock::time_point deadline) {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  while (!over_ && !close_asked_ && !authenticated_) {
    deadline_timer_.expires_at(deadline);
    co_await (deadline_timer_.async_wait(without_throwing) || changed_.wait());
    if (!over_ && !authenticated_ && Clock::now() >= deadline) {
      parts_.log.warn("authentication_timed_out", "the core did not answer in time");
      ask_to_close(CloseCode::policy_violation, "authentication timed out");
    }
  }
  while (!over_ && !close_asked_) {
    co_await changed_.wait();
  }
  if (drains_first_) {
    co_await say_what_is_left();
  }
  // Also when the connection broke: reading and watching must come to their ends, too.
  co_await link_->close(close_code_, close_reason_);
  end(Error{ErrorCode::cancelled, "closed: " + close_reason_});
}

asio::awaitable<void> Session::say_what_is_left() {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  const auto deadline = Clock::now() + limits::close_deadline;
  deadline_timer_.expires_at(deadline);
  while (!over_ && authenticated_ && !parts_.outbox.empty() && Clock::now() < deadline) {
    co_await (deadline_timer_.async_wait(without_throwing) || changed_.wait());
  }
}

}  // namespace satellite::agent
