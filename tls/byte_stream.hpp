#pragma once

#include <openssl/types.h>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream_base.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/container/static_vector.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>

namespace satellite::tls {

/// A connected stream of bytes, whatever carries it: TCP, TLS over it, or TLS within TLS to a
/// proxy. It is one type whose layers are chosen at run time, so that Beast, which is made of
/// templates over streams, is compiled once for each program and not once for each carrier.
///
/// Shape:  an AsyncReadStream and AsyncWriteStream in Asio's sense: one read and one write at a
///         time, and it stays in its place while one is under way. A moved-from one may only be
///         destroyed or assigned to.
/// Errors: Asio's and OpenSSL's, in the error_code of each operation.
class ByteStream {
 public:
  using Tcp = boost::asio::ip::tcp::socket;
  using executor_type = Tcp::executor_type;
  using lowest_layer_type = Tcp::lowest_layer_type;

  explicit ByteStream(Tcp socket);
  /// TLS over `carrier`, which handshake() has to begin. The context is not needed afterwards.
  ByteStream(ByteStream carrier, boost::asio::ssl::context& context);
  ByteStream(ByteStream&&) noexcept;
  ByteStream& operator=(ByteStream&&) noexcept;
  ~ByteStream();

  executor_type get_executor();
  /// The TCP connection at the bottom.
  Tcp& tcp();
  lowest_layer_type& lowest_layer() { return tcp().lowest_layer(); }
  /// Of the outermost layer; null where that is TCP.
  SSL* ssl();
  /// When the last bytes came in from the peer of this layer, encrypted or not: what a proxy says
  /// in its own TLS does not count for the core behind it. A read is started anew right after the
  /// one before brought something, so it is the time at which the last read began.
  std::chrono::steady_clock::time_point last_received() const;

  /// TLS only. The caller gives it a deadline by closing tcp().
  boost::asio::awaitable<boost::system::error_code> handshake(
      boost::asio::ssl::stream_base::handshake_type side);

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        [](auto handler, ByteStream* itself, ReadBuffers room) {
          itself->read_some(room, without_allocator(std::move(handler)));
        },
        token, this, first_of<ReadBuffers>(buffers));
  }
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        [](auto handler, ByteStream* itself, WriteBuffers bytes) {
          itself->write_some(bytes, without_allocator(std::move(handler)));
        },
        token, this, first_of<WriteBuffers>(buffers));
  }

  /// The end of a WebSocket: each layer of TLS is shut down, that with a proxy, too, then TCP,
  /// until the peer has closed it as well. The caller bounds it by closing tcp(). It always
  /// succeeds: Beast would report a failure of it in place of the reason for the end, such as a
  /// frame above the limit, and TLS always fails to shut down then.
  template <typename Handler>
  void shut_down(boost::beast::role_type role, Handler handler) {
    end_connection(role, without_allocator(std::move(handler)));
  }

 private:
  class Layer;
  class TcpLayer;
  class TlsLayer;
  /// More than any frame or request of ours is made of; what does not fit goes with the next call.
  static constexpr std::size_t buffers_max = 16;
  using ReadBuffers = boost::container::static_vector<boost::asio::mutable_buffer, buffers_max>;
  using WriteBuffers = boost::container::static_vector<boost::asio::const_buffer, buffers_max>;
  using Done = boost::asio::any_completion_handler<void(boost::system::error_code, std::size_t)>;

  /// A handler of any type must not take its memory from a handler inside it: when it is destroyed
  /// without being called, Boost 1.81 gives that memory back to one that is gone already.
  template <typename Handler>
  static auto without_allocator(Handler handler) {
    return boost::asio::bind_allocator(std::allocator<void>(), std::move(handler));
  }
  template <typename List, typename Buffers>
  static List first_of(const Buffers& buffers) {
    List list;
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto at = boost::asio::buffer_sequence_begin(buffers);
         at != end && list.size() < buffers_max; ++at) {
      const typename List::value_type buffer(*at);
      if (buffer.size() > 0) list.push_back(buffer);
    }
    return list;
  }
  void end_connection(boost::beast::role_type role,
                      boost::asio::any_completion_handler<void(boost::system::error_code)> done);
  void read_some(const ReadBuffers& room, Done done);
  void write_some(const WriteBuffers& bytes, Done done);

  std::unique_ptr<Layer> layer_;
};

// Beast finds these by argument-dependent lookup when a connection ends.
template <typename Handler>
void async_teardown(boost::beast::role_type role, ByteStream& stream, Handler&& handler) {
  stream.shut_down(role, std::forward<Handler>(handler));
}
inline void beast_close_socket(ByteStream& stream) {
  boost::system::error_code ignored;
  stream.tcp().close(ignored);
}

}  // namespace satellite::tls
