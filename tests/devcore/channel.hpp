#pragma once

#include "protocol/vocabulary/result.hpp"
#include "tests/devcore/settings.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>
#include <string_view>

namespace satellite::devcore {

/// The core's end of one WebSocket. One read and one write at a time.
class Channel {
 public:
  virtual ~Channel() = default;
  /// The view holds until the next read. A closed connection is an Error whose message tells the
  /// close code and reason.
  virtual boost::asio::awaitable<Result<std::string_view>> read() = 0;
  virtual boost::asio::awaitable<Result<void>> write(const std::string& text) = 0;
  virtual boost::asio::awaitable<Result<void>> write_binary(const std::string& text) = 0;
  /// One fragment of a message that has no end.
  virtual boost::asio::awaitable<Result<void>> write_fragment(const std::string& text) = 0;
  virtual void set_frame_size_max(ByteCount size) = 0;
  virtual boost::asio::awaitable<void> close(std::uint16_t code) = 0;
  /// Cuts the TCP connection with a reset.
  virtual void reset() = 0;
  /// Ends the pending read, with an Error, and leaves the connection open. From then on only
  /// write_past() sends: the WebSocket counts as failed.
  virtual void stop_reading() = 0;
  /// One text frame of at most 65535 bytes, written without the WebSocket's knowledge.
  virtual boost::asio::awaitable<Result<void>> write_past(const std::string& text) = 0;
};

/// What a channel has to know before it exists.
struct Acceptance {
  std::string path;
  ConnectionPlan plan;
};

/// TLS if asked for, then the HTTP upgrade, as the acceptance says.
/// Errors: what went wrong; a planned refusal is an Error too.
boost::asio::awaitable<Result<std::unique_ptr<Channel>>> accept_tls(
    boost::asio::ip::tcp::socket socket, boost::asio::ssl::context& context, Acceptance acceptance);
boost::asio::awaitable<Result<std::unique_ptr<Channel>>> accept_plain(
    boost::asio::ip::tcp::socket socket, Acceptance acceptance);

}  // namespace satellite::devcore
