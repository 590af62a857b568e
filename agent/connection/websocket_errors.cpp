#include "agent/connection/websocket_errors.hpp"

#include "agent/connection/retry_after.hpp"
#include "tls/peer_check.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/websocket/error.hpp>

namespace satellite::agent {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

constexpr std::size_t peer_text_max = 256;

std::string seconds_text(std::chrono::milliseconds duration) {
  return std::to_string(duration.count() / 1000) + "." +
         std::to_string(duration.count() % 1000 / 100) + " s";
}

bool is_broken_off(const boost::system::error_code& failure) {
  return failure == asio::error::eof || failure == asio::ssl::error::stream_truncated ||
         failure == asio::error::connection_reset || failure == asio::error::broken_pipe ||
         failure == http::error::end_of_stream || failure == http::error::partial_message;
}

std::string quoted(boost::beast::string_view text) {
  return '"' + std::string(text.substr(0, peer_text_max)) + '"';
}

Error status_error(const websocket::response_type& response, const CoreAddress& address) {
  const unsigned status = response.result_int();
  const std::string answer = "upgrade: the core answered HTTP " + std::to_string(status);
  switch (status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      // Following would hand the token to whoever can forge or misconfigure an answer.
      return {ErrorCode::not_permitted, answer + " with location " +
                                            quoted(response[http::field::location]) +
                                            "; redirects are refused, set the core URL itself"};
    case 401:
    case 403:
      return {ErrorCode::not_permitted, answer +
                                            ": something before the core wants to know who "
                                            "we are (a proxy?)"};
    case 404:
      return {ErrorCode::not_found, answer + " for " + address.url() +
                                        "; check the host and the path prefix of the core URL"};
    case 429:
    case 503:
      return {ErrorCode::unavailable, answer + ": not now"};
    default:
      return {ErrorCode::unavailable, answer};
  }
}

Error transport_error(const boost::system::error_code& failure, const CoreAddress& address) {
  if (is_broken_off(failure)) {
    return {ErrorCode::unavailable, "upgrade: the peer closed the connection without an answer"};
  }
  if (auto refused = tls::refused_by_peer(failure)) return *std::move(refused);
  const bool is_http = failure.category() == http::make_error_code(http::error{}).category();
  if (is_http) {
    const std::string remedy = address.transport == Transport::plain
                                   ? "; if it speaks TLS, use https:// in the core URL"
                                   : "; check host and port of the core URL";
    return {ErrorCode::unsupported,
            "upgrade: the peer does not speak HTTP (" + failure.message() + ")" + remedy};
  }
  const bool is_websocket = failure.category() == websocket::make_error_code({}).category();
  if (is_websocket) {
    return {ErrorCode::unsupported,
            "upgrade: the answer is no valid WebSocket upgrade: " + failure.message()};
  }
  return {ErrorCode::io_failed, "upgrade: " + failure.message()};
}

}  // namespace

std::string_view name_of(ConnectStage stage) {
  switch (stage) {
    case ConnectStage::trust:
      return "trust";
    case ConnectStage::dns:
      return "dns";
    case ConnectStage::tcp:
      return "tcp";
    case ConnectStage::proxy:
      return "proxy";
    case ConnectStage::tls:
      return "tls";
    case ConnectStage::upgrade:
      return "upgrade";
  }
  return "upgrade";
}

Error read_error(const boost::system::error_code& failure, const websocket::close_reason& reason,
                 ByteCount frame_size_max) {
  if (is_unassigned(reason)) {
    return {ErrorCode::invalid_input, "the core breaks the WebSocket protocol: close code " +
                                          std::to_string(reason.code) + " does not exist"};
  }
  // A close frame of the core counts even when the transport broke while it was answered.
  const bool said_goodbye =
      failure == websocket::error::closed || reason.code != websocket::close_code::none;
  if (said_goodbye) {
    std::string message = "the core closed the connection";
    if (reason.code != websocket::close_code::none) {
      message += ", code " + std::to_string(reason.code);
    }
    if (!reason.reason.empty())
      message += ", reason " + quoted({reason.reason.data(), reason.reason.size()});
    return {ErrorCode::unavailable, std::move(message)};
  }
  const bool is_too_big =
      failure == websocket::error::message_too_big || failure == websocket::error::buffer_overflow;
  if (is_too_big) {
    return {ErrorCode::limit_exceeded, "a frame of the core exceeds the limit of " +
                                           std::to_string(frame_size_max.value) + " bytes"};
  }
  if (is_broken_off(failure)) {
    return {ErrorCode::unavailable, "the connection broke without a closing handshake"};
  }
  if (failure == asio::error::operation_aborted)
    return {ErrorCode::cancelled, "reading was stopped"};
  const bool is_violation = failure == websocket::condition::protocol_violation ||
                            failure.category() == websocket::make_error_code({}).category();
  if (is_violation) {
    return {ErrorCode::invalid_input,
            "the core breaks the WebSocket protocol: " + failure.message()};
  }
  return {ErrorCode::io_failed, "reading from the core: " + failure.message()};
}

Error write_error(const boost::system::error_code& failure) {
  if (failure == asio::error::operation_aborted || failure == websocket::error::closed) {
    return {ErrorCode::cancelled, "writing was stopped: the connection is closing"};
  }
  if (is_broken_off(failure)) {
    return {ErrorCode::unavailable, "the connection broke while writing"};
  }
  return {ErrorCode::io_failed, "writing to the core: " + failure.message()};
}

Error binary_frame_error() {
  return {ErrorCode::invalid_input,
          "the core sent a binary frame; the protocol has text frames only"};
}

bool is_unassigned(const websocket::close_reason& reason) {
  constexpr std::uint16_t last_assignable = 4999;
  return reason.code > last_assignable;
}

std::optional<Error> unasked_in(const websocket::response_type& response) {
  for (const auto name :
       {http::field::sec_websocket_extensions, http::field::sec_websocket_protocol}) {
    const auto [first, last] = response.equal_range(name);
    for (auto field = first; field != last; ++field) {
      if (field->value().empty()) continue;
      const boost::beast::string_view header = http::to_string(name);
      return Error{ErrorCode::unsupported,
                   "upgrade: the answer names " + std::string(header.data(), header.size()) + ' ' +
                       quoted(field->value()) +
                       ", which this satellite did not offer; look at what stands before the core"};
    }
  }
  return std::nullopt;
}

std::optional<std::chrono::seconds> clock_ahead_of(const websocket::response_type& response) {
  const boost::beast::string_view text = response[http::field::date];
  const auto date = parse_http_date({text.data(), text.size()});
  if (!date) return std::nullopt;
  const auto ahead = std::chrono::system_clock::now() - *date;
  return std::chrono::duration_cast<std::chrono::seconds>(ahead);
}

ConnectAttempt upgrade_failure(const boost::system::error_code& failure,
                               const websocket::response_type& response,
                               const CoreAddress& address) {
  // Beast gives an answer that is not 101 as upgrade_declined and leaves the answer to look at.
  if (failure != websocket::error::upgrade_declined) {
    return {transport_error(failure, address), ConnectStage::upgrade, {}, {}};
  }
  ConnectAttempt attempt{status_error(response, address), ConnectStage::upgrade, {}, {}};
  const unsigned status = response.result_int();
  if (status == 429 || status == 503) {
    const boost::beast::string_view text = response[http::field::retry_after];
    attempt.retry_after =
        parse_retry_after({text.data(), text.size()}, std::chrono::system_clock::now());
  }
  return attempt;
}

Error death_error(LinkVerdict verdict, const HeartbeatPolicy::Settings& settings) {
  const std::string silence = seconds_text(settings.silence_max);
  switch (verdict) {
    case LinkVerdict::not_reading:
      return {ErrorCode::timed_out, "the core has not taken a frame of ours for " + silence};
    case LinkVerdict::never_closing:
      return {ErrorCode::timed_out,
              "the closing handshake did not end in " + seconds_text(settings.close_deadline)};
    default:
      return {ErrorCode::timed_out, "nothing came from the core for " + silence};
  }
}

}  // namespace satellite::agent
