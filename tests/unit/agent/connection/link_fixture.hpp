#pragma once

#include "agent/connection/websocket_link.hpp"
#include "tests/devcore/devcore.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace satellite::tests {

using namespace std::chrono_literals;

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Runs a coroutine to its end on `context`, within a bound; throws when the bound comes first.
void run(boost::asio::io_context& context, boost::asio::awaitable<void> work);

/// Asio spawns only what has a default value; a Result has none.
template <typename T>
boost::asio::awaitable<void> keep(boost::asio::awaitable<T> work, std::optional<T>& result) {
  auto value = co_await std::move(work);
  result.emplace(std::move(value));
}

template <typename T>
T run(boost::asio::io_context& context, boost::asio::awaitable<T> work) {
  std::optional<T> result;
  run(context, keep(std::move(work), result));
  return std::move(*result);
}

/// A real core on loopback that knows one satellite: `satellite-1` with token `token-1`.
devcore::Settings core_settings();
std::unique_ptr<devcore::DevCore> start_core(devcore::Settings settings = core_settings());

extern const char* const authenticate_frame;

/// One attempt at this URL; trusts `ca_pem` only.
struct Attempt {
  std::string url;
  std::string ca_pem;
  std::chrono::milliseconds deadline = 10s;
  agent::HeartbeatPolicy::Settings heartbeat = {};
  std::optional<agent::ProxyUse> proxy = {};
  /// What else of trust; `ca_pem` is put into it.
  tls::Settings tls = {};
};
agent::ConnectAttempt connect(boost::asio::io_context& context, const Attempt& attempt);

/// A link to `core` that has authenticated and read the answer.
std::unique_ptr<agent::WebSocketLink> authenticated_link(
    boost::asio::io_context& context, const devcore::DevCore& core,
    agent::HeartbeatPolicy::Settings heartbeat = {});

}  // namespace satellite::tests
