#include "tests/devcore/channel.hpp"

#include "protocol/vocabulary/limits.hpp"
#include "tests/devcore/without_throwing.hpp"
#include "tls/byte_stream.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/stream.hpp>

namespace satellite::devcore {
namespace {

using boost::asio::ip::tcp;
using tls::ByteStream;

class WebSocketChannel final : public Channel {
 public:
  explicit WebSocketChannel(ByteStream stream) : websocket_(std::move(stream)) {
    websocket_.auto_fragment(false);
    websocket_.write_buffer_bytes(64U << 10U);
    set_frame_size_max(limits::frame_size_max_from_stranger);
    websocket_.text(true);
  }

  boost::asio::awaitable<Result<void>> upgrade(Acceptance acceptance);

  boost::asio::awaitable<Result<std::string_view>> read() override {
    buffer_.consume(buffer_.size());
    const auto got = co_await websocket_.async_read(buffer_, without_throwing);
    const boost::system::error_code failure = std::get<0>(got);
    if (failure) co_return goodbye(failure);
    const auto bytes = buffer_.data();
    co_return std::string_view(static_cast<const char*>(bytes.data()), bytes.size());
  }

  boost::asio::awaitable<Result<void>> write(const std::string& text) override {
    const auto bytes = boost::asio::buffer(text);
    const auto written = co_await websocket_.async_write(bytes, without_throwing);
    const boost::system::error_code failure = std::get<0>(written);
    if (failure) co_return Error{ErrorCode::io_failed, failure.message()};
    co_return Result<void>{};
  }

  boost::asio::awaitable<Result<void>> write_binary(const std::string& text) override {
    websocket_.binary(true);
    auto written = co_await write(text);
    websocket_.text(true);
    co_return written;
  }

  boost::asio::awaitable<Result<void>> write_fragment(const std::string& text) override {
    const auto bytes = boost::asio::buffer(text);
    const auto written = co_await websocket_.async_write_some(false, bytes, without_throwing);
    const boost::system::error_code failure = std::get<0>(written);
    if (failure) co_return Error{ErrorCode::io_failed, failure.message()};
    co_return Result<void>{};
  }

  void set_frame_size_max(ByteCount size) override { websocket_.read_message_max(size.value); }

  boost::asio::awaitable<void> close(std::uint16_t code) override {
    const boost::beast::websocket::close_reason why(
        static_cast<boost::beast::websocket::close_code>(code));
    co_await websocket_.async_close(why, without_throwing);
  }

  void reset() override {
    boost::system::error_code ignored;
    auto& socket = websocket_.next_layer().tcp();
    socket.set_option(boost::asio::socket_base::linger(true, 0), ignored);
    socket.close(ignored);
  }

  void stop_reading() override {
    boost::system::error_code ignored;
    websocket_.next_layer().tcp().cancel(ignored);
  }

  boost::asio::awaitable<Result<void>> write_past(const std::string& text) override {
    // RFC 6455 5.2: a final text frame, unmasked, its length in the shortest form.
    constexpr std::size_t one_byte_max = 125;
    std::string frame("\x81", 1);
    if (text.size() <= one_byte_max) {
      frame += static_cast<char>(text.size());
    } else {
      frame += '\x7e';
      frame += static_cast<char>(text.size() >> 8U);
      frame += static_cast<char>(text.size() & 0xffU);
    }
    frame += text;
    const auto bytes = boost::asio::buffer(frame);
    const auto written =
        co_await boost::asio::async_write(websocket_.next_layer(), bytes, without_throwing);
    const boost::system::error_code failure = std::get<0>(written);
    if (failure) co_return Error{ErrorCode::io_failed, failure.message()};
    co_return Result<void>{};
  }

 private:
  Error goodbye(const boost::system::error_code& failure) const {
    namespace websocket = boost::beast::websocket;
    const websocket::close_reason& why = websocket_.reason();
    // A goodbye counts even when the transport broke while it was answered.
    const bool said_goodbye =
        failure == websocket::error::closed || why.code != websocket::close_code::none;
    if (!said_goodbye) return {ErrorCode::io_failed, failure.message()};
    return {ErrorCode::unavailable, "closed with code " + std::to_string(why.code) + ' ' +
                                        std::string(why.reason.data(), why.reason.size())};
  }

  boost::beast::websocket::stream<ByteStream, false> websocket_;
  boost::beast::flat_buffer buffer_;
};

boost::asio::awaitable<Result<void>> WebSocketChannel::upgrade(Acceptance acceptance) {
  namespace http = boost::beast::http;
  http::request<http::empty_body> request;
  const auto got =
      co_await http::async_read(websocket_.next_layer(), buffer_, request, without_throwing);
  const boost::system::error_code unread = std::get<0>(got);
  if (unread) {
    // As web servers do, so that a client which speaks something else is told.
    const std::string answer = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    const auto bytes = boost::asio::buffer(answer);
    co_await boost::asio::async_write(websocket_.next_layer(), bytes, without_throwing);
    co_return Error{ErrorCode::io_failed, "reading the upgrade: " + unread.message()};
  }

  if (acceptance.plan.misbehaviour == Misbehaviour::stall_upgrade) {
    // A second request never comes: this ends when the client has had enough.
    co_await http::async_read(websocket_.next_layer(), buffer_, request, without_throwing);
    co_return Error{ErrorCode::cancelled, "the upgrade was left without an answer"};
  }
  const bool is_here = request.target() == acceptance.path;
  const bool is_planned = acceptance.plan.misbehaviour == Misbehaviour::http_status;
  if (is_here && !is_planned) {
    if (acceptance.plan.misbehaviour == Misbehaviour::more_headers) {
      websocket_.set_option(boost::beast::websocket::stream_base::decorator(
          [headers =
               acceptance.plan.http_headers](boost::beast::websocket::response_type& response) {
            for (const auto& [name, value] : headers) response.set(name, value);
          }));
    }
    const auto accepted = co_await websocket_.async_accept(request, without_throwing);
    const boost::system::error_code failure = std::get<0>(accepted);
    if (failure) co_return Error{ErrorCode::io_failed, "upgrade: " + failure.message()};
    co_return Result<void>{};
  }
  const unsigned status = is_planned ? acceptance.plan.http_status : 404;
  http::response<http::empty_body> answer(http::int_to_status(status), request.version());
  for (const auto& [name, value] : acceptance.plan.http_headers) answer.set(name, value);
  answer.keep_alive(false);
  answer.prepare_payload();
  co_await http::async_write(websocket_.next_layer(), answer, without_throwing);
  co_return Error{ErrorCode::not_permitted, "answered HTTP " + std::to_string(status)};
}

boost::asio::awaitable<Result<std::unique_ptr<Channel>>> accept(ByteStream stream,
                                                                Acceptance acceptance) {
  auto channel = std::make_unique<WebSocketChannel>(std::move(stream));
  const auto upgraded = co_await channel->upgrade(std::move(acceptance));
  if (!upgraded) co_return upgraded.error();
  co_return std::unique_ptr<Channel>(std::move(channel));
}

}  // namespace

boost::asio::awaitable<Result<std::unique_ptr<Channel>>> accept_tls(
    tcp::socket socket, boost::asio::ssl::context& context, Acceptance acceptance) {
  ByteStream stream(ByteStream(std::move(socket)), context);
  const boost::system::error_code failure =
      co_await stream.handshake(boost::asio::ssl::stream_base::server);
  if (failure) co_return Error{ErrorCode::io_failed, "TLS: " + failure.message()};
  auto accepted = co_await accept(std::move(stream), std::move(acceptance));
  co_return accepted;
}

boost::asio::awaitable<Result<std::unique_ptr<Channel>>> accept_plain(tcp::socket socket,
                                                                      Acceptance acceptance) {
  ByteStream stream(std::move(socket));
  auto accepted = co_await accept(std::move(stream), std::move(acceptance));
  co_return accepted;
}

}  // namespace satellite::devcore
