#include "agent/connection/websocket_stream.hpp"

namespace satellite::agent {

boost::asio::awaitable<ConnectAttempt> upgrade_plain(
    tcp::socket socket, CoreAddress address, LinkSettings settings,
    std::chrono::steady_clock::time_point deadline) {
  const auto itself = [](ObservedSocket& observed) -> ObservedSocket& { return observed; };
  auto link = std::make_unique<WebSocketStream<ObservedSocket>>(ObservedSocket(std::move(socket)),
                                                                itself, settings);
  auto attempt =
      co_await upgraded(std::move(link), std::move(address), std::move(settings), deadline);
  co_return attempt;
}

}  // namespace satellite::agent
