#include "tests/devcore/channel_stream.hpp"

namespace satellite::devcore {

using boost::asio::ip::tcp;

boost::asio::awaitable<Result<std::unique_ptr<Channel>>> accept_plain(tcp::socket socket,
                                                                      Acceptance acceptance) {
  auto channel = std::make_unique<ChannelStream<tcp::socket>>(std::move(socket));
  const auto upgraded = co_await channel->upgrade(std::move(acceptance));
  if (!upgraded) co_return upgraded.error();
  co_return std::unique_ptr<Channel>(std::move(channel));
}

}  // namespace satellite::devcore
