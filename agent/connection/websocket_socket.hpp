#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <chrono>
#include <memory>
#include <utility>

namespace satellite::agent {

using boost::asio::ip::tcp;

/// TLS to a proxy; what goes through is then encrypted once more for the core.
using ProxyTls = boost::asio::ssl::stream<tcp::socket>;

/// A TCP socket that remembers when its bytes last moved inwards, or the same within TLS to a
/// proxy. A read is started anew right after the one before brought something, so the start of a
/// read is the time of the last byte.
class ObservedSocket {
 public:
  using executor_type = tcp::socket::executor_type;
  using lowest_layer_type = tcp::socket::lowest_layer_type;

  explicit ObservedSocket(tcp::socket socket) : socket_(std::move(socket)) {}
  /// The handshake with the proxy is over.
  explicit ObservedSocket(std::unique_ptr<ProxyTls> proxy)
      : socket_(proxy->get_executor()), proxy_(std::move(proxy)) {}

  executor_type get_executor() { return socket_.get_executor(); }
  lowest_layer_type& lowest_layer() { return socket().lowest_layer(); }
  tcp::socket& socket() { return proxy_ ? proxy_->next_layer() : socket_; }
  std::chrono::steady_clock::time_point last_received() const { return last_received_; }
  /// A socket that refuses sends at once, as ever.
  void hold_back(bool hold) {
    const int on = hold ? 1 : 0;
    static_cast<void>(
        ::setsockopt(socket().native_handle(), IPPROTO_TCP, TCP_CORK, &on, sizeof on));
  }

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    last_received_ = std::chrono::steady_clock::now();
    if (proxy_) return proxy_->async_read_some(buffers, std::forward<Token>(token));
    return socket_.async_read_some(buffers, std::forward<Token>(token));
  }
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    if (proxy_) return proxy_->async_write_some(buffers, std::forward<Token>(token));
    return socket_.async_write_some(buffers, std::forward<Token>(token));
  }

 private:
  tcp::socket socket_;               // not open where there is a proxy that speaks TLS
  std::unique_ptr<ProxyTls> proxy_;  // on the heap, since Asio's stream keeps its place
  std::chrono::steady_clock::time_point last_received_ = std::chrono::steady_clock::now();
};

// Beast finds these by argument-dependent lookup when a connection ends.
template <typename Handler>
void async_teardown(boost::beast::role_type role, ObservedSocket& socket, Handler&& handler) {
  boost::beast::websocket::async_teardown(role, socket.socket(), std::forward<Handler>(handler));
}
inline void beast_close_socket(ObservedSocket& socket) {
  boost::system::error_code ignored;
  socket.socket().close(ignored);
}

}  // namespace satellite::agent
