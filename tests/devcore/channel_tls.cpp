#include "tests/devcore/channel_stream.hpp"

#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/websocket/ssl.hpp>

namespace satellite::devcore {

using boost::asio::ip::tcp;
using TlsStream = boost::asio::ssl::stream<tcp::socket>;

boost::asio::awaitable<Result<std::unique_ptr<Channel>>> accept_tls(
    tcp::socket socket, boost::asio::ssl::context& context, Acceptance acceptance) {
  auto channel = std::make_unique<ChannelStream<TlsStream>>(TlsStream(std::move(socket), context));
  TlsStream& stream = channel->websocket().next_layer();
  const auto shaken = co_await stream.async_handshake(TlsStream::server, without_throwing);
  const boost::system::error_code failure = std::get<0>(shaken);
  if (failure) co_return Error{ErrorCode::io_failed, "TLS: " + failure.message()};
  const auto upgraded = co_await channel->upgrade(std::move(acceptance));
  if (!upgraded) co_return upgraded.error();
  co_return std::unique_ptr<Channel>(std::move(channel));
}

}  // namespace satellite::devcore
