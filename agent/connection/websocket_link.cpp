#include "agent/connection/websocket_link.hpp"

#include "agent/connection/cut_at.hpp"
#include "agent/connection/proxy_tunnel.hpp"
#include "agent/connection/resolve.hpp"
#include "agent/connection/tcp_connect.hpp"
#include "agent/connection/websocket_stream.hpp"
#include "tls/client_context.hpp"
#include "tls/peer_check.hpp"

#include <openssl/ssl.h>

namespace satellite::agent {

namespace {

namespace asio = boost::asio;
using boost::asio::ip::tcp;
using tls::ByteStream;
using Moment = std::chrono::steady_clock::time_point;

ConnectAttempt failed(ConnectStage stage, Error error) {
  return ConnectAttempt{std::move(error), stage, {}, {}};
}

asio::awaitable<Result<void>> handshake(ByteStream& stream, tls::PeerCheck& check,
                                        Moment deadline) {
  const Result<void> armed = check.arm(stream.ssl());
  if (!armed) co_return armed.error();
  const CutAt cut(stream.get_executor(), deadline, [&stream] { beast_close_socket(stream); });
  const boost::system::error_code failure =
      co_await stream.handshake(asio::ssl::stream_base::client);
  if (cut.done()) {
    co_return Error{ErrorCode::timed_out, "TLS: the handshake did not end in time"};
  }
  if (failure) co_return check.explain(failure, std::chrono::system_clock::now());
  co_return Result<void>{};
}

/// With TLS 1.3 a refused client certificate shows when the handshake is over on this side: as an
/// alert, or as a connection that is closed.
void told_of_certificate(const tls::ClientCertificate* client, ConnectAttempt& attempt) {
  Error error = attempt.link.error();
  const bool is_alert = error.code == ErrorCode::not_permitted && error.message.starts_with("TLS:");
  if (is_alert) attempt.stage = ConnectStage::tls;
  if (!is_alert && error.code != ErrorCode::unavailable && error.code != ErrorCode::io_failed)
    return;
  if (client == nullptr) {
    error.message +=
        " (the peer asked for a client certificate and got none: tls.certificate_file)";
  } else {
    const auto facts = tls::describe(*client);
    error.message += " (it was shown ";
    error.message +=
        facts ? tls::in_words(*facts, std::chrono::system_clock::now()) : facts.error().message;
    error.message += ')';
  }
  attempt.link = std::move(error);
}

asio::awaitable<ConnectAttempt> upgrade_tls(ByteStream carrier, asio::ssl::context& context,
                                            CoreAddress address, LinkSettings settings,
                                            Moment deadline) {
  // OpenSSL points back to the check until the handshake is over, and NO_RENEGOTIATION keeps it so.
  tls::PeerCheck check(address.host, {}, settings.tls.pins);
  ByteStream stream(std::move(carrier), context);
  const auto shaken = co_await handshake(stream, check, deadline);
  if (!shaken) co_return failed(ConnectStage::tls, shaken.error());
  const SSL* ssl = stream.ssl();
  LinkFacts facts;
  facts.tls_version = SSL_get_version(ssl);
  facts.cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl));
  facts.certificate_ends = tls::peer_certificate_end(ssl);
  const bool was_asked = check.was_asked_for_certificate();
  const auto client = settings.tls.client;
  auto attempt =
      co_await upgrade(std::move(stream), std::move(address), std::move(settings), deadline);
  attempt.facts.tls_version = std::move(facts.tls_version);
  attempt.facts.cipher = std::move(facts.cipher);
  attempt.facts.certificate_ends = facts.certificate_ends;
  if (was_asked && !attempt.link) told_of_certificate(client.get(), attempt);
  co_return attempt;
}

/// `localhost` in a hosts file may be anything, but a token never leaves this host in the clear.
Result<void> check_plain_target(const CoreAddress& address, const tcp::endpoint& peer) {
  if (address.transport == Transport::tls || peer.address().is_loopback()) return {};
  return Error{ErrorCode::not_permitted, "TCP: a connection without TLS left this host"};
}

/// An attempt through a proxy fails in two places; the operator has to know of both.
ConnectAttempt told_of(const std::optional<ProxyUse>& proxy, ConnectAttempt attempt) {
  if (!proxy) return attempt;
  attempt.facts.proxy = proxy->address.url;
  if (attempt.link || attempt.stage == ConnectStage::trust ||
      attempt.stage == ConnectStage::proxy) {
    return attempt;
  }
  const bool is_on_the_way =
      attempt.stage == ConnectStage::dns || attempt.stage == ConnectStage::tcp;
  Error error = attempt.link.error();
  error.message += is_on_the_way ? " (this is the proxy " : " (seen through the proxy ";
  error.message += proxy->address.url + ')';
  attempt.link = std::move(error);
  return attempt;
}

/// A connected socket -> the link, TLS and upgrade done.
asio::awaitable<ConnectAttempt> upgrade_socket(tcp::socket socket, asio::ssl::context& context,
                                               CoreAddress address, LinkSettings settings,
                                               Moment deadline) {
  ByteStream stream(std::move(socket));
  if (address.transport == Transport::plain) {
    auto plain =
        co_await upgrade(std::move(stream), std::move(address), std::move(settings), deadline);
    co_return plain;
  }
  if (settings.proxy) {
    TunnelRequest request{address.host_and_port(), settings.user_agent, deadline};
    ProxyUse proxy = *settings.proxy;
    auto tunnel = co_await open_tunnel(std::move(stream), std::move(proxy), std::move(request));
    if (!tunnel.stream) {
      co_return ConnectAttempt{tunnel.stream.error(),
                               ConnectStage::proxy,
                               tunnel.retry_after,
                               {},
                               tunnel.refused_credentials};
    }
    stream = *std::move(tunnel.stream);
  }
  auto attempt = co_await upgrade_tls(std::move(stream), context, std::move(address),
                                      std::move(settings), deadline);
  co_return attempt;
}

asio::awaitable<ConnectAttempt> connect_on_the_way(CoreAddress address, LinkSettings settings,
                                                   Moment deadline) {
  asio::ssl::context context(asio::ssl::context::tls_client);
  if (address.transport == Transport::tls) {
    // Anew for each connection: what replaced the CA file is in force without a restart.
    Result<asio::ssl::context> made = tls::make_client_context(settings.tls);
    if (!made) co_return failed(ConnectStage::trust, made.error());
    context = std::move(*made);
  }
  HostAndPort next = settings.proxy ? settings.proxy->address.place : address.host_and_port();
  const auto endpoints = co_await resolve(std::move(next), settings.resolver, deadline);
  if (!endpoints) co_return failed(ConnectStage::dns, endpoints.error());
  auto socket = co_await tcp_connect(*endpoints, deadline);
  if (!socket) co_return failed(ConnectStage::tcp, socket.error());
  boost::system::error_code gone;
  const tcp::endpoint peer = socket->remote_endpoint(gone);
  if (gone) {
    co_return failed(ConnectStage::tcp, Error{ErrorCode::unavailable,
                                              "TCP: the connection broke as soon as it was made"});
  }
  const Result<void> allowed = check_plain_target(address, peer);
  if (!allowed) co_return failed(ConnectStage::tcp, allowed.error());
  auto attempt = co_await upgrade_socket(*std::move(socket), context, std::move(address),
                                         std::move(settings), deadline);
  attempt.facts.peer = text_of(peer);
  co_return attempt;
}

}  // namespace

asio::awaitable<ConnectAttempt> connect_websocket(CoreAddress address, LinkSettings settings,
                                                  Moment deadline) {
  const Moment begun = std::chrono::steady_clock::now();
  const std::optional<ProxyUse> proxy = settings.proxy;
  auto attempt = co_await connect_on_the_way(std::move(address), std::move(settings), deadline);
  attempt.facts.connected_in = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begun);
  co_return told_of(proxy, std::move(attempt));
}

}  // namespace satellite::agent
