#include "agent/connection/websocket_stream.hpp"

#include "agent/connection/cut_at.hpp"
#include "agent/connection/websocket_errors.hpp"
#include "protocol/vocabulary/secret.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <cassert>
#include <charconv>

namespace satellite::agent {
namespace {

constexpr auto without_throwing = boost::asio::as_tuple(boost::asio::use_awaitable);

/// WebSocketLink over a stream that is connected, and through its TLS handshake where it has one.
class WebSocketStream final : public WebSocketLink {
 public:
  WebSocketStream(tls::ByteStream stream, const LinkSettings& settings)
      : websocket_(std::move(stream)),
        heartbeat_(settings.heartbeat),
        policy_(settings.heartbeat),
        watch_timer_(websocket_.get_executor()),
        ping_timer_(websocket_.get_executor()) {
    configure();
  }

  boost::asio::awaitable<ConnectAttempt> upgrade(const CoreAddress& address,
                                                 const LinkSettings& settings,
                                                 std::chrono::steady_clock::time_point deadline);

  boost::asio::awaitable<Result<std::string>> read() override;
  boost::asio::awaitable<Result<void>> write(std::string frame) override;
  boost::asio::awaitable<Result<void>> write_and_wipe(std::string frame) override;
  void hold_back(bool hold) override;
  std::uint64_t ping() override;
  void on_pong(std::function<void(std::uint64_t)> told) override { on_pong_ = std::move(told); }
  boost::asio::awaitable<Error> keep_alive() override;
  boost::asio::awaitable<void> close(CloseCode code, std::string reason) override;
  std::optional<std::uint16_t> close_code_of_core() const override { return close_code_; }
  void set_frame_size_max(ByteCount size) override;

 private:
  void configure();
  void cut() { beast_close_socket(websocket_.next_layer()); }
  /// Room for the next piece of a message. Memory is asked for once and touched piece by piece: to
  /// fault in all pages of a large frame at once would keep the event loop for tens of
  /// milliseconds.
  void make_room(std::string& frame);
  boost::asio::awaitable<Result<void>> write_bytes(const std::string& frame);
  void note_pong(std::string_view payload);
  /// A close code outside the ranges of RFC 6455 7.4.2 must not be echoed as Beast would do.
  void refuse_close_code();
  /// The connection is over: remembers the first reason and wakes whoever waits.
  Error over(Error why);
  LinkActivity activity();
  boost::asio::awaitable<void> watch();
  boost::asio::awaitable<void> send_pings();

  boost::beast::websocket::stream<tls::ByteStream, false> websocket_;
  HeartbeatPolicy::Settings heartbeat_;
  HeartbeatPolicy policy_;
  ByteCount frame_size_max_ = limits::frame_size_max_before_authentication;

  // Each timer never expires by itself except the watch's: cancelling one wakes its waiters.
  boost::asio::steady_timer watch_timer_, ping_timer_;
  std::uint64_t pings_wanted_ = 0, pings_sent_ = 0;
  std::function<void(std::uint64_t)> on_pong_;
  std::chrono::steady_clock::time_point last_ping_ = std::chrono::steady_clock::now();
  std::optional<std::chrono::steady_clock::time_point> writing_since_, closing_since_;
  std::optional<Error> ended_;  // why, once it is over
  std::optional<std::uint16_t> close_code_;
  bool close_begun_ = false;  // by us
};

void WebSocketStream::configure() {
  namespace websocket = boost::beast::websocket;
  // Beast's own timeouts stay off: its suggestion for clients has no idle limit at all, and a
  // received ping does not count there as life (beast#2716). heartbeat_policy decides instead.
  websocket::stream_base::timeout no_timeouts{};
  no_timeouts.handshake_timeout = websocket::stream_base::none();
  no_timeouts.idle_timeout = websocket::stream_base::none();
  no_timeouts.keep_alive_pings = false;
  websocket_.set_option(no_timeouts);
  // Compression stays off too: it costs memory per connection and leaks what secrets repeat.
  websocket_.auto_fragment(false);
  // One masked copy and one pass through TLS per frame of output, not eight.
  websocket_.write_buffer_bytes(64U << 10U);
  websocket_.read_message_max(frame_size_max_.value);
  websocket_.text(true);
  websocket_.control_callback([this](websocket::frame_type kind, boost::beast::string_view text) {
    if (kind == websocket::frame_type::close) refuse_close_code();
    if (kind == websocket::frame_type::pong) note_pong({text.data(), text.size()});
  });
}

/// A socket that refuses sends at once, as ever.
void WebSocketStream::hold_back(bool hold) {
  const int on = hold ? 1 : 0;
  static_cast<void>(::setsockopt(websocket_.next_layer().tcp().native_handle(), IPPROTO_TCP,
                                 TCP_CORK, &on, sizeof on));
}

std::uint64_t WebSocketStream::ping() {
  // The next ping to be sent begins after every write that has ended by now.
  ++pings_wanted_;
  ping_timer_.cancel();
  return pings_wanted_;
}

void WebSocketStream::note_pong(std::string_view payload) {
  std::uint64_t number = 0;
  const char* const end = payload.data() + payload.size();
  const auto [rest, problem] = std::from_chars(payload.data(), end, number);
  // A pong that nobody asked for proves nothing (RFC 6455 5.5.3).
  if (problem != std::errc{} || rest != end || number > pings_sent_) return;
  if (on_pong_) on_pong_(number);
}

Error WebSocketStream::over(Error why) {
  if (!ended_) ended_ = std::move(why);
  watch_timer_.cancel();
  ping_timer_.cancel();
  return *ended_;
}

/// Called from within Beast's read, before it answers: a close frame of ours that is under way by
/// then takes the place of its echo (read_some_op and close_op share the write lock).
void WebSocketStream::refuse_close_code() {
  namespace websocket = boost::beast::websocket;
  // One close at a time: Beast asserts it.
  if (!is_unassigned(websocket_.reason()) || close_begun_) return;
  close_begun_ = true;
  const websocket::close_reason why(websocket::close_code::protocol_error, "invalid close code");
  websocket_.async_close(why, [](const boost::system::error_code&) {});
}

boost::asio::awaitable<ConnectAttempt> WebSocketStream::upgrade(
    const CoreAddress& address, const LinkSettings& settings,
    std::chrono::steady_clock::time_point deadline) {
  namespace http = boost::beast::http;
  namespace websocket = boost::beast::websocket;
  websocket_.set_option(websocket::stream_base::decorator(
      [agent = settings.user_agent](websocket::request_type& request) {
        request.set(http::field::user_agent, agent);
      }));
  websocket::response_type response;
  const CutAt cut_at(websocket_.get_executor(), deadline, [this] { cut(); });
  const auto upgraded = co_await websocket_.async_handshake(response, address.host_header,
                                                            address.target, without_throwing);
  const boost::system::error_code failure = std::get<0>(upgraded);
  if (cut_at.done()) {
    Error late{ErrorCode::timed_out, "upgrade: the core did not answer in time"};
    co_return ConnectAttempt{std::move(late), ConnectStage::upgrade, {}, {}};
  }
  LinkFacts facts;
  facts.clock_ahead = clock_ahead_of(response);
  if (failure) {
    auto declined = upgrade_failure(failure, response, address);
    declined.facts = std::move(facts);
    co_return declined;
  }
  if (auto unasked = unasked_in(response)) {
    cut();
    co_return ConnectAttempt{*std::move(unasked), ConnectStage::upgrade, {}, {}};
  }
  co_return ConnectAttempt{
      std::unique_ptr<WebSocketLink>(), ConnectStage::upgrade, {}, std::move(facts)};
}

void WebSocketStream::make_room(std::string& frame) {
  constexpr std::size_t piece_min = 1'536, piece_max = 16U << 10U;  // a packet, a TLS record
  const std::size_t taken = frame.size();
  // Of the frame that is under way the rest, as its head announced it within the bound.
  const std::size_t rest = websocket_.read_size_hint(piece_min);
  const std::size_t piece = std::min(rest, piece_max);
  if (taken + piece > frame.capacity()) frame.reserve(taken + std::max(rest, taken));
  frame.resize(taken + piece);
}

boost::asio::awaitable<Result<std::string>> WebSocketStream::read() {
  std::string frame;
  boost::system::error_code failure;
  do {
    const std::size_t taken = frame.size();
    make_room(frame);
    const auto room = boost::asio::buffer(frame) + taken;
    const auto got = co_await websocket_.async_read_some(room, without_throwing);
    failure = std::get<0>(got);
    frame.resize(taken + std::get<1>(got));
    if (!failure && websocket_.got_binary()) {
      Error binary = over(binary_frame_error());
      const std::string reason = "binary frame";
      co_await close(CloseCode::unsupported_data, reason);
      co_return binary;
    }
  } while (!failure && !websocket_.is_message_done());
  if (!failure) co_return frame;
  // What answers a close frame of ours only repeats our code.
  const auto code = websocket_.reason().code;
  if (!close_begun_ && code != boost::beast::websocket::close_code::none) close_code_ = code;
  Error why = read_error(failure, websocket_.reason(), frame_size_max_);
  // A mistake of the core is the reason, even if its closing handshake then had to be cut short.
  const bool is_its_fault =
      why.code == ErrorCode::limit_exceeded || why.code == ErrorCode::invalid_input;
  if (is_its_fault) ended_ = why;
  co_return over(std::move(why));
}

boost::asio::awaitable<Result<void>> WebSocketStream::write(std::string frame) {
  const auto written = co_await write_bytes(frame);
  co_return written;
}

boost::asio::awaitable<Result<void>> WebSocketStream::write_and_wipe(std::string frame) {
  const auto written = co_await write_bytes(frame);
  wipe(frame);
  co_return written;
}

boost::asio::awaitable<Result<void>> WebSocketStream::write_bytes(const std::string& frame) {
  assert(!writing_since_);
  writing_since_ = std::chrono::steady_clock::now();
  const auto bytes = boost::asio::buffer(frame);
  const auto written = co_await websocket_.async_write(bytes, without_throwing);
  writing_since_.reset();
  const boost::system::error_code failure = std::get<0>(written);
  if (!failure) co_return Result<void>{};
  co_return over(write_error(failure));
}

LinkActivity WebSocketStream::activity() {
  if (!websocket_.is_open() && !closing_since_) closing_since_ = std::chrono::steady_clock::now();
  return {websocket_.next_layer().last_received(), last_ping_, writing_since_, closing_since_};
}

boost::asio::awaitable<void> WebSocketStream::watch() {
  while (!ended_) {
    const auto now = std::chrono::steady_clock::now();
    const LinkDecision decision = policy_.decide(activity(), now);
    if (decision.verdict == LinkVerdict::ping) {
      last_ping_ = now;
      ++pings_wanted_;
      ping_timer_.cancel();
    } else if (decision.verdict != LinkVerdict::alive) {
      over(death_error(decision.verdict, heartbeat_));
      cut();
      break;
    }
    watch_timer_.expires_at(decision.look_again);
    co_await watch_timer_.async_wait(without_throwing);
  }
}

boost::asio::awaitable<void> WebSocketStream::send_pings() {
  while (!ended_) {
    if (pings_sent_ == pings_wanted_) {
      ping_timer_.expires_at(boost::asio::steady_timer::time_point::max());
      co_await ping_timer_.async_wait(without_throwing);
      continue;
    }
    // One ping serves for all that were wanted until now.
    pings_sent_ = pings_wanted_;
    const boost::beast::websocket::ping_data payload(std::to_string(pings_sent_));
    const auto sent = co_await websocket_.async_ping(payload, without_throwing);
    const boost::system::error_code failure = std::get<0>(sent);
    if (failure) over(write_error(failure));
  }
}

boost::asio::awaitable<Error> WebSocketStream::keep_alive() {
  using namespace boost::asio::experimental::awaitable_operators;
  co_await (watch() && send_pings());
  co_return *ended_;
}

boost::asio::awaitable<void> WebSocketStream::close(CloseCode code, std::string reason) {
  namespace websocket = boost::beast::websocket;
  co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
  over(Error{ErrorCode::cancelled, "the connection was closed by us"});
  if (websocket_.is_open() && !close_begun_) {
    close_begun_ = true;
    const auto deadline = std::chrono::steady_clock::now() + heartbeat_.close_deadline;
    const CutAt cut_at(websocket_.get_executor(), deadline, [this] { cut(); });
    websocket::close_reason why;
    why.code = static_cast<std::uint16_t>(code);
    const std::size_t room = websocket::reason_string::static_capacity;
    why.reason.assign(reason.data(), std::min(reason.size(), room));
    co_await websocket_.async_close(why, without_throwing);
  }
  cut();
}

void WebSocketStream::set_frame_size_max(ByteCount size) {
  frame_size_max_ = size;
  websocket_.read_message_max(size.value);
}

}  // namespace

boost::asio::awaitable<ConnectAttempt> upgrade(tls::ByteStream stream, CoreAddress address,
                                               LinkSettings settings,
                                               std::chrono::steady_clock::time_point deadline) {
  auto link = std::make_unique<WebSocketStream>(std::move(stream), settings);
  auto attempt = co_await link->upgrade(address, settings, deadline);
  if (attempt.link) attempt.link = std::unique_ptr<WebSocketLink>(std::move(link));
  co_return attempt;
}

}  // namespace satellite::agent
