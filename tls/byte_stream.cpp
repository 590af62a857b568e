#include "tls/byte_stream.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <cassert>
#include <tuple>

namespace satellite::tls {

namespace asio = boost::asio;
using boost::system::error_code;
using Moment = std::chrono::steady_clock::time_point;

namespace {

/// A handler of any type has an executor of any type, which takes memory in each operation and
/// cannot be posted to, as Beast does. All of ours run on the loop of their stream anyway.
template <typename Stream, typename Handler>
auto on_loop(Stream& stream, Handler handler) {
  return asio::bind_executor(stream.get_executor(), std::move(handler));
}

}  // namespace

class ByteStream::Layer {
 public:
  Layer() = default;
  virtual ~Layer() = default;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  virtual Tcp& tcp() = 0;
  virtual SSL* ssl() = 0;
  /// Of this layer's peer.
  virtual Moment last_received() const = 0;
  /// When the layer above, or the user, last asked this one for bytes.
  Moment last_read() const { return last_read_; }
  void read_some(const ReadBuffers& room, Done done) {
    last_read_ = std::chrono::steady_clock::now();
    begin_read(room, std::move(done));
  }
  virtual void write_some(const WriteBuffers& bytes, Done done) = 0;
  virtual asio::awaitable<error_code> handshake(asio::ssl::stream_base::handshake_type side) = 0;
  virtual void shut_down(boost::beast::role_type role,
                         asio::any_completion_handler<void(error_code)> done) = 0;

 private:
  virtual void begin_read(const ReadBuffers& room, Done done) = 0;

  Moment last_read_ = std::chrono::steady_clock::now();
};

class ByteStream::TcpLayer final : public Layer {
 public:
  explicit TcpLayer(Tcp socket) : socket_(std::move(socket)) {}

  Tcp& tcp() override { return socket_; }
  SSL* ssl() override { return nullptr; }
  Moment last_received() const override { return last_read(); }
  void write_some(const WriteBuffers& bytes, Done done) override {
    socket_.async_write_some(bytes, on_loop(socket_, std::move(done)));
  }
  asio::awaitable<error_code> handshake(asio::ssl::stream_base::handshake_type) override {
    assert(!"TCP has no handshake of its own");
    co_return asio::error::operation_not_supported;
  }
  void shut_down(boost::beast::role_type role,
                 asio::any_completion_handler<void(error_code)> done) override {
    boost::beast::websocket::async_teardown(role, socket_, on_loop(socket_, std::move(done)));
  }

 private:
  void begin_read(const ReadBuffers& room, Done done) override {
    socket_.async_read_some(room, on_loop(socket_, std::move(done)));
  }

  Tcp socket_;
};

class ByteStream::TlsLayer final : public Layer {
 public:
  TlsLayer(ByteStream carrier, asio::ssl::context& context)
      : stream_(std::move(carrier), context) {}

  Tcp& tcp() override { return stream_.next_layer().tcp(); }
  SSL* ssl() override { return stream_.native_handle(); }
  Moment last_received() const override { return stream_.next_layer().layer_->last_read(); }
  void write_some(const WriteBuffers& bytes, Done done) override {
    stream_.async_write_some(bytes, on_loop(stream_, std::move(done)));
  }
  asio::awaitable<error_code> handshake(asio::ssl::stream_base::handshake_type side) override {
    const auto shaken = co_await stream_.async_handshake(side, asio::as_tuple(asio::use_awaitable));
    co_return std::get<0>(shaken);
  }
  void shut_down(boost::beast::role_type role,
                 asio::any_completion_handler<void(error_code)> done) override {
    boost::beast::async_teardown(role, stream_, on_loop(stream_, std::move(done)));
  }

 private:
  void begin_read(const ReadBuffers& room, Done done) override {
    stream_.async_read_some(room, on_loop(stream_, std::move(done)));
  }

  asio::ssl::stream<ByteStream> stream_;
};

ByteStream::ByteStream(Tcp socket) : layer_(std::make_unique<TcpLayer>(std::move(socket))) {}
ByteStream::ByteStream(ByteStream carrier, asio::ssl::context& context)
    : layer_(std::make_unique<TlsLayer>(std::move(carrier), context)) {}
ByteStream::ByteStream(ByteStream&&) noexcept = default;
ByteStream& ByteStream::operator=(ByteStream&&) noexcept = default;
ByteStream::~ByteStream() = default;

ByteStream::executor_type ByteStream::get_executor() {
  return tcp().get_executor();
}

ByteStream::Tcp& ByteStream::tcp() {
  return layer_->tcp();
}

SSL* ByteStream::ssl() {
  return layer_->ssl();
}

std::chrono::steady_clock::time_point ByteStream::last_received() const {
  return layer_->last_received();
}

asio::awaitable<error_code> ByteStream::handshake(asio::ssl::stream_base::handshake_type side) {
  return layer_->handshake(side);
}

void ByteStream::read_some(const ReadBuffers& room, Done done) {
  layer_->read_some(room, std::move(done));
}

void ByteStream::write_some(const WriteBuffers& bytes, Done done) {
  layer_->write_some(bytes, std::move(done));
}

void ByteStream::end_connection(boost::beast::role_type role,
                                asio::any_completion_handler<void(error_code)> done) {
  layer_->shut_down(
      role, [done = std::move(done)](error_code) mutable { std::move(done)(error_code()); });
}

}  // namespace satellite::tls
