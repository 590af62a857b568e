#include "agent/connection/session.hpp"

#include "agent/runtime/random_id.hpp"
#include "agent/runtime/run_until.hpp"
#include "agent/runtime/version.hpp"
#include "protocol/encode.hpp"
#include "protocol/negotiation.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

namespace {

using SteadyClock = std::chrono::steady_clock;

std::vector<std::string> announced_capabilities(const Config& config) {
  const auto capabilities = announced_by(config);
  return {capabilities.begin(), capabilities.end()};
}

SessionMachine::Settings machine_settings(const Session::Dependencies& dependencies,
                                          SteadyClock::time_point deadline) {
  SessionMachine::Settings settings;
  settings.deadline = deadline;
  settings.refresh_every = dependencies.config.refresh_every;
  settings.probe.ask_every = dependencies.config.registration_probe_every;
  settings.probe.core_answers = dependencies.core_answers_registration_probe;
  return settings;
}

asio::steady_timer unarmed(asio::io_context& context) {
  return asio::steady_timer(context, SteadyClock::time_point::max());
}

}  // namespace

Session::Session(Dependencies dependencies)
    : dependencies_(dependencies),
      deadline_(SteadyClock::now() + dependencies.config.connect_deadline),
      machine_(machine_settings(dependencies, deadline_)),
      changed_(dependencies.context),
      timers_{unarmed(dependencies.context), unarmed(dependencies.context),
              unarmed(dependencies.context), unarmed(dependencies.context)} {}

asio::awaitable<EndedConnection> Session::run() {
  // Who stops the agent does not wait for a core that does not answer.
  auto opening = open();
  auto told = changed_.wait();
  auto first = run_until(std::move(opening), std::move(told));
  const std::optional<bool> opened = co_await std::move(first);
  EndedConnection ended;
  ended.retry_after = retry_after_;
  if (proxy_refused_) ended.end = ConnectionEnd::proxy_refused;
  if (!opened.value_or(false)) co_return ended;
  co_await (read_frames() && write_frames() && keep_alive() && watch_replies() &&
            watch_timer(SessionTimer::deadline, SessionEvent::deadline_passed) &&
            watch_timer(SessionTimer::heartbeat, SessionEvent::heartbeat_due) &&
            watch_timer(SessionTimer::probe, SessionEvent::probe_due) &&
            watch_timer(SessionTimer::refresh, SessionEvent::refresh_due) && close_when_asked());
  dependencies_.inbox.connection_lost();
  dependencies_.outbox.connection_lost();
  ended.end = machine_.end();
  if (const auto since = machine_.authenticated_at()) {
    ended.authenticated_for =
        std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - *since);
  }
  ended.close_code = link_->close_code_of_core();
  link_.reset();
  co_return ended;
}

void Session::could_not_connect(const Error& why, std::string_view stage) {
  dependencies_.record.failed_with(why.message);
  dependencies_.log.warn(
      "connect_failed", why.message,
      {{"core", dependencies_.address.url()}, {"stage", stage}, {"error_code", why.code}});
  tell(SessionEvent::connect_failed);
}

asio::awaitable<bool> Session::open() {
  LinkSettings settings;
  settings.tls = dependencies_.trust;
  auto proxy = proxy_for(dependencies_.config.proxy, dependencies_.address, dependencies_.trust);
  if (!proxy) {
    // Never directly instead: a proxy may be all that lets this host out, on purpose.
    could_not_connect(proxy.error(), name_of(ConnectStage::proxy));
    co_return false;
  }
  settings.proxy = *std::move(proxy);
  settings.resolver = dependencies_.config.resolver;
  settings.heartbeat.silence_max = dependencies_.config.silence_max;
  // Two answers may get lost on the way.
  settings.heartbeat.ping_interval = settings.heartbeat.silence_max / 3;
  settings.user_agent = std::string("checkstack-satellite/") + program_version;
  auto attempt = co_await connect_websocket(dependencies_.address, std::move(settings), deadline_);
  if (!attempt.link) {
    retry_after_ = attempt.retry_after;
    proxy_refused_ = attempt.proxy_refused_credentials;
    could_not_connect(attempt.link.error(), name_of(attempt.stage));
    co_return false;
  }
  link_ = *std::move(attempt.link);
  link_->on_pong([this](std::uint64_t number) { dependencies_.outbox.barrier_passed(number); });
  dependencies_.inbox.connection_made(dependencies_.address.url());
  const LinkFacts& facts = attempt.facts;
  dependencies_.record.peer = facts.peer;
  dependencies_.record.proxy = facts.proxy;
  dependencies_.record.tls_version = facts.tls_version;
  dependencies_.log.info("connected", facts.proxy.empty() ? "" : "through the proxy " + facts.proxy,
                         {{"core", dependencies_.address.url()},
                          {"peer", facts.peer},
                          {"tls", facts.tls_version},
                          {"in", facts.connected_in}});
  std::string frame = protocol::encode(
      protocol::Authenticate{dependencies_.config.client_id, dependencies_.token.duplicate(),
                             announced_capabilities(dependencies_.config)});
  const auto written = co_await link_->write_and_wipe(std::move(frame));
  if (!written) {
    could_not_connect(written.error(), "authenticate");
    co_return false;
  }
  tell(SessionEvent::opened);
  co_return true;
}

void Session::record(SessionEvent event, const std::optional<Error>& why) {
  ConnectionRecord& record = dependencies_.record;
  switch (event) {
    case SessionEvent::authenticated:
      ++record.authentications;
      record.authenticated_at = SteadyClock::now();
      record.changed.notify_all();
      return;
    case SessionEvent::refused:
      ++record.refusals;
      return record.failed_with(refused_in_words);
    case SessionEvent::shut_down:
      return record.failed_with("the core told this satellite to stop");
    case SessionEvent::link_ended:
      // What began the end has been told by then.
      if (machine_.state() == SessionState::closing || !why) return;
      return record.failed_with(why->message);
    default:
      return;
  }
}

void Session::tell(SessionEvent event, std::optional<Error> why) {
  if (!machine_.ended()) record(event, why);
  const SessionFacts facts{SteadyClock::now(), dependencies_.outbox.empty(),
                           dependencies_.secrets.awaits_replies(), std::move(why)};
  for (const SessionAction& action : machine_.step(event, facts)) {
    std::visit([this](const auto& one) { perform(one); }, action);
  }
}

void Session::perform(const ArmTimer& action) {
  timers_.at(static_cast<std::size_t>(action.timer)).expires_at(action.at);
}

void Session::perform(const WriteLog& action) {
  const auto write = action.level == LogLevel::warn ? &Log::warn : &Log::info;
  if (action.code) {
    (dependencies_.log.*write)(action.event, action.text, {{"error_code", *action.code}});
  } else {
    (dependencies_.log.*write)(action.event, action.text, {});
  }
}

void Session::perform(const RaiseFrameLimit&) {
  link_->set_frame_size_max(limits::frame_size_max);
}

void Session::perform(const SendHeartbeat&) {
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(
      SteadyClock::now() - dependencies_.process_started);
  dependencies_.outbox.push_for_this_connection(
      protocol::Heartbeat{program_version, uptime, announced_capabilities(dependencies_.config)});
}

void Session::perform(const SendProbe&) {
  RequestId id(random_id());
  dependencies_.inbox.expect_registration_answer(id);
  dependencies_.outbox.push_for_this_connection(
      protocol::CapabilitySecretRequest{std::move(id), "checkstack-satellite.route", "null"});
}

void Session::perform(const CloseLink& action) {
  // Every other end has a reason of its own, or none that anybody would call trouble.
  if (machine_.end() == ConnectionEnd::lost && !machine_.ended()) {
    dependencies_.record.failed_with("closed by this satellite: " + action.reason);
  }
  close_ = action;
  changed_.notify_all();
}

void Session::perform(const EndLoops&) {
  for (asio::steady_timer& timer : timers_) timer.cancel();
  changed_.notify_all();
  dependencies_.outbox.changed().notify_all();
  dependencies_.secrets.replied().notify_all();
}

void Session::stop() {
  tell(SessionEvent::stop_asked);
}

asio::awaitable<void> Session::read_frames() {
  while (true) {
    auto frame = co_await link_->read();
    if (!frame) {
      if (frame.error().code == ErrorCode::limit_exceeded) dependencies_.inbox.frame_too_large();
      tell(SessionEvent::link_ended, frame.error());
      co_return;
    }
    dependencies_.record.bytes_received += frame->size();
    if (machine_.ended()) continue;
    const auto verdict = co_await dependencies_.inbox.receive(*std::move(frame));
    take(verdict);
  }
}

void Session::take(SessionVerdict verdict) {
  switch (verdict) {
    case SessionVerdict::go_on:
      return;
    case SessionVerdict::authenticated:
      return tell(SessionEvent::authenticated);
    case SessionVerdict::registration_confirmed:
      return tell(SessionEvent::registration_confirmed);
    case SessionVerdict::unauthorised:
      return tell(SessionEvent::refused);
    case SessionVerdict::shut_down:
      return tell(SessionEvent::shut_down);
  }
}

asio::awaitable<void> Session::write_frames() {
  Outbox& outbox = dependencies_.outbox;
  bool holds_back = false;
  while (!machine_.ended()) {
    // One at a time, so that a slow core sets the pace and a fast one is asked often.
    if (outbox.wants_barrier()) outbox.barrier_sent(link_->ping());
    auto outgoing = outbox.next();
    if (!outgoing) {
      if (std::exchange(holds_back, false)) link_->hold_back(false);
      if (outbox.empty()) tell(SessionEvent::outbox_empty);
      co_await outbox.changed().wait();
      continue;
    }
    const auto kept_as = outgoing->kept_as;
    if (outbox.may_write_together() && !std::exchange(holds_back, true)) link_->hold_back(true);
    const std::size_t size = outgoing->frame.size();
    const auto written = co_await link_->write(std::move(outgoing->frame));
    if (written) {
      dependencies_.record.bytes_sent += size;
      outbox.sent(kept_as);
      continue;
    }
    outbox.not_sent(kept_as);
    tell(SessionEvent::link_ended, written.error());
  }
}

asio::awaitable<void> Session::keep_alive() {
  const auto dead = co_await link_->keep_alive();
  tell(SessionEvent::link_ended, dead);
}

asio::awaitable<void> Session::watch_timer(SessionTimer timer, SessionEvent event) {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  asio::steady_timer& waits = timers_.at(static_cast<std::size_t>(timer));
  while (!machine_.ended()) {
    co_await waits.async_wait(without_throwing);
    // Armed anew while it waited, or while its handler was on the way.
    if (machine_.ended() || SteadyClock::now() < waits.expiry()) continue;
    waits.expires_at(SteadyClock::time_point::max());
    tell(event);
  }
}

asio::awaitable<void> Session::watch_replies() {
  while (!machine_.ended()) {
    co_await dependencies_.secrets.replied().wait();
    // A check that has just got one secret may ask for the next one in this very turn of the loop.
    co_await asio::post(dependencies_.context, asio::use_awaitable);
    if (!dependencies_.secrets.awaits_replies()) tell(SessionEvent::replies_settled);
  }
}

asio::awaitable<void> Session::close_when_asked() {
  while (!close_) {
    co_await changed_.wait();
  }
  const CloseLink closing = *close_;
  // Also when the connection broke: reading and liveness must come to their ends, too.
  co_await link_->close(closing.code, closing.reason);
  tell(SessionEvent::link_ended, Error{ErrorCode::cancelled, "closed: " + closing.reason});
}

}  // namespace satellite::agent
