// The proxy sees where to, and ciphertext: TLS with the core begins behind its answer and ends at
// the core, with the core's name checked as ever.
#include "agent/connection/proxy_tunnel.hpp"

#include "agent/connection/cut_at.hpp"
#include "agent/connection/proxy_answer.hpp"
#include "agent/connection/proxy_credentials.hpp"
#include "agent/connection/retry_after.hpp"
#include "tls/client_context.hpp"
#include "tls/peer_check.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace satellite::agent {
namespace {

namespace asio = boost::asio;
using tls::ByteStream;
using Moment = std::chrono::steady_clock::time_point;

constexpr auto proxy_without_throwing = asio::as_tuple(asio::use_awaitable);

Error of_proxy(const ProxyUse& proxy, const Error& error) {
  return Error{error.code, "proxy " + proxy.address.url + ": " + error.message};
}

Error silent(const char* what) {
  return Error{ErrorCode::timed_out, std::string("no answer to ") + what + " in time"};
}

tls::PeerWords words_about_proxy() {
  return {"the proxy's URL", "proxy.ca_file"};
}

asio::awaitable<Result<ByteStream>> speak_tls(ByteStream carrier, const ProxyUse& proxy,
                                              Moment deadline) {
  auto context = tls::make_client_context(proxy.trust);
  if (!context) co_return context.error();
  ByteStream stream(std::move(carrier), *context);
  // The handshake is over when this ends, and NO_RENEGOTIATION keeps it so: the check may go before
  // the stream.
  tls::PeerCheck check(proxy.address.place.host, words_about_proxy());
  const Result<void> armed = check.arm(stream.ssl());
  if (!armed) co_return armed.error();
  const CutAt cut(stream.get_executor(), deadline, [&stream] { beast_close_socket(stream); });
  const boost::system::error_code failure =
      co_await stream.handshake(asio::ssl::stream_base::client);
  if (cut.done()) co_return silent("the TLS handshake");
  if (failure) co_return check.explain(failure, std::chrono::system_clock::now());
  co_return stream;
}

/// Holds the password: who sends it wipes it.
std::string connect_request(const TunnelRequest& request, const Secret& credentials) {
  const std::string target = connect_target(request.core);
  std::string text;
  text.reserve(256 + 2 * target.size() + request.user_agent.size() + credentials.reveal().size());
  text += "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
  text += "User-Agent: " + request.user_agent + "\r\n";
  if (!credentials.empty()) {
    text += "Proxy-Authorization: Basic ";
    text += credentials.reveal();
    text += "\r\n";
  }
  text += "\r\n";
  return text;
}

Error broken_off(const boost::system::error_code& failure) {
  const bool is_end = failure == asio::error::eof || failure == asio::error::connection_reset ||
                      failure == asio::error::broken_pipe ||
                      failure == asio::ssl::error::stream_truncated;
  if (is_end) {
    return Error{ErrorCode::unavailable, "it closed the connection without an answer to CONNECT"};
  }
  return Error{ErrorCode::io_failed, "CONNECT: " + failure.message()};
}

asio::awaitable<Result<ProxyAnswer>> read_answer(ByteStream& stream) {
  std::string bytes;
  std::array<char, 4096> piece{};
  while (true) {
    const auto room = asio::buffer(piece);
    const auto got = co_await stream.async_read_some(room, proxy_without_throwing);
    const boost::system::error_code failure = std::get<0>(got);
    if (failure) co_return broken_off(failure);
    bytes.append(piece.data(), std::get<1>(got));
    auto answer = parse_proxy_answer(bytes);
    if (!answer) co_return answer.error();
    if (*answer) co_return **std::move(answer);
  }
}

asio::awaitable<Result<ProxyAnswer>> ask_to_connect(ByteStream& stream, const ProxyUse& proxy,
                                                    const TunnelRequest& request) {
  auto credentials = read_proxy_credentials(proxy.credentials_file, proxy.credentials_source);
  if (!credentials) co_return credentials.error();
  std::string text = connect_request(request, *credentials);
  const CutAt cut(stream.get_executor(), request.deadline,
                  [&stream] { beast_close_socket(stream); });
  const auto bytes = asio::buffer(text);
  const auto sent = co_await asio::async_write(stream, bytes, proxy_without_throwing);
  wipe(text);
  const boost::system::error_code failure = std::get<0>(sent);
  if (failure && !cut.done()) co_return broken_off(failure);
  auto answer = co_await read_answer(stream);
  if (cut.done()) co_return silent("CONNECT");
  co_return answer;
}

}  // namespace

asio::awaitable<ProxyTunnel> open_tunnel(ByteStream stream, ProxyUse proxy, TunnelRequest request) {
  if (proxy.address.transport == Transport::tls) {
    auto encrypted = co_await speak_tls(std::move(stream), proxy, request.deadline);
    if (!encrypted) co_return ProxyTunnel{of_proxy(proxy, encrypted.error()), {}};
    stream = *std::move(encrypted);
  }
  const auto answer = co_await ask_to_connect(stream, proxy, request);
  if (!answer) co_return ProxyTunnel{of_proxy(proxy, answer.error()), {}};
  if (answer->status / 100 == 2) co_return ProxyTunnel{std::move(stream), {}};
  const ProxyQuestion question{request.core,
                               proxy.credentials_file.empty() ? "" : proxy.credentials_source};
  std::optional<std::chrono::seconds> retry_after;
  if (answer->status == 429 || answer->status == 503) {
    retry_after = parse_retry_after(answer->retry_after, std::chrono::system_clock::now());
  }
  const bool refused_credentials = answer->status == 407 && !proxy.credentials_file.empty();
  co_return ProxyTunnel{of_proxy(proxy, proxy_refusal(*answer, question)), retry_after,
                        refused_credentials};
}

}  // namespace satellite::agent
