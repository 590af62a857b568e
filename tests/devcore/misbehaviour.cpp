// How a connection misbehaves: the parts of Connection that no honest core has.
#include "tests/devcore/connection.hpp"
#include "tests/devcore/without_throwing.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace satellite::devcore {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::size_t deep_json_depth = 10'000;
constexpr std::size_t oversize_frame_size = 17U << 20U;
constexpr std::uint16_t going_away = 1001;
constexpr std::uint16_t displaced_code = 4409;
constexpr std::uint16_t unassigned_code = 5000;

}  // namespace

asio::awaitable<void> Connection::misbehave_at_connect(tcp::socket& socket) {
  boost::system::error_code ignored;
  switch (plan_.misbehaviour) {
    case Misbehaviour::close_at_connect:
      socket.close(ignored);
      break;
    case Misbehaviour::drip_tls:
      co_await drip(socket);
      break;
    case Misbehaviour::stall_tls: {
      // Readable at first with the client's hello, which is left lying there; then nothing more
      // happens until the client or stop() closes.
      char hello[4096];
      std::size_t size = 1;
      while (size > 0) {
        const auto buffer = asio::buffer(hello);
        const auto got = co_await socket.async_read_some(buffer, without_throwing);
        size = std::get<1>(got);
      }
      socket.close(ignored);
      break;
    }
    default:
      break;
  }
}

asio::awaitable<void> Connection::drip(tcp::socket& socket) {
  // The head of a TLS record of 16 KiB, whose content then comes byte by byte.
  const std::string head("\x16\x03\x03\x40\x00", 5);
  boost::system::error_code failure;
  for (std::size_t i = 0; !failure; ++i) {
    const char byte = i < head.size() ? head[i] : '\0';
    const auto buffer = asio::buffer(&byte, 1);
    const auto written = co_await socket.async_send(buffer, without_throwing);
    failure = std::get<0>(written);
    news_.expires_after(std::chrono::milliseconds(20));
    co_await news_.async_wait(without_throwing);
    if (finished_) break;
  }
  socket.close(failure);
}

void Connection::misbehave(Misbehaviour misbehaviour) {
  switch (misbehaviour) {
    case Misbehaviour::close:
      close_code_ = going_away;
      break;
    case Misbehaviour::displace:
      close_code_ = displaced_code;
      break;
    case Misbehaviour::close_5000:
      close_code_ = unassigned_code;
      break;
    case Misbehaviour::binary_frame:
      sends_binary_ = true;
      return send("{}");
    case Misbehaviour::reset:
      if (channel_) channel_->reset();
      break;
    case Misbehaviour::chatter:
      chatters_ = stalled_ = true;
      break;
    case Misbehaviour::stall:
      stalled_ = true;
      break;
    case Misbehaviour::forget_route:
      forgotten_ = true;
      break;
    case Misbehaviour::endless_fragments:
      fragments_without_end_ = true;
      break;
    case Misbehaviour::garbage:
      return send("this is no JSON {");
    case Misbehaviour::deep_json:
      return send(std::string(deep_json_depth, '[') + std::string(deep_json_depth, ']'));
    case Misbehaviour::oversize_frame:
      return send(R"({"type":")" + std::string(oversize_frame_size, 'x') + R"("})");
    default:
      return;
  }
  news_.cancel();
}

/// A stalled connection stays open without being read, until somebody cuts it.
asio::awaitable<void> Connection::rest() {
  reader_rests_ = true;
  if (stalled_) state_.ledger.count([](Counters& counters) { ++counters.stalls; });
  while (stalled_ && !finished_) {
    co_await rest_.async_wait(without_throwing);
  }
}

asio::awaitable<void> Connection::write_while_stalled() {
  asio::steady_timer pause(news_.get_executor());
  while (!finished_) {
    if (!reader_rests_) {
      // A cancel finds nothing while a step of the read is on its way to the event loop, so it
      // is repeated until the reader rests.
      channel_->stop_reading();
    } else if (!queue_.empty() || chatters_) {
      const std::string text = queue_.empty() ? std::string("{}") : std::move(queue_.front());
      if (!queue_.empty()) queue_.pop_front();
      const auto sent = co_await channel_->write_past(text);
      if (!sent) break;
    }
    pause.expires_after(std::chrono::milliseconds(5));
    co_await pause.async_wait(without_throwing);
  }
  written_ = true;
}

}  // namespace satellite::devcore
