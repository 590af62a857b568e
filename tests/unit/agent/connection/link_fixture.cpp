#include "tests/unit/agent/connection/link_fixture.hpp"

namespace satellite::tests {

namespace asio = boost::asio;

const char* const authenticate_frame =
    R"({"type":"authenticate","clientId":"satellite-1","token":"token-1"})";

void run(asio::io_context& context, asio::awaitable<void> work) {
  bool ended = false;
  std::exception_ptr exception;
  asio::co_spawn(context, std::move(work), [&](std::exception_ptr thrown) {
    exception = thrown;
    ended = true;
    context.stop();
  });
  context.restart();
  context.run_for(60s);
  if (exception) std::rethrow_exception(exception);
  if (!ended) throw std::runtime_error("the coroutine did not end in 60 s");
}

devcore::Settings core_settings() {
  devcore::Settings settings;
  settings.tokens["satellite-1"] = "token-1";
  return settings;
}

std::unique_ptr<devcore::DevCore> start_core(devcore::Settings settings) {
  auto core = devcore::DevCore::start(std::move(settings));
  if (!core) throw std::runtime_error(core.error().message);
  return std::move(*core);
}

agent::ConnectAttempt connect(asio::io_context& context, const Attempt& attempt) {
  const TempDir directory;
  agent::LinkSettings settings;
  settings.heartbeat = attempt.heartbeat;
  settings.proxy = attempt.proxy;
  settings.tls = attempt.tls;
  if (!attempt.ca_pem.empty()) settings.tls.ca_file = directory.write("ca.pem", attempt.ca_pem);
  const auto address = agent::parse_core_url(attempt.url);
  if (!address) throw std::runtime_error(address.error().message);
  return run(context,
             agent::connect_websocket(*address, std::move(settings),
                                      std::chrono::steady_clock::now() + attempt.deadline));
}

std::unique_ptr<agent::WebSocketLink> authenticated_link(
    asio::io_context& context, const devcore::DevCore& core,
    agent::HeartbeatPolicy::Settings heartbeat) {
  auto attempt = connect(context, {core.url(), core.ca_pem(), 10s, heartbeat});
  if (!attempt.link) throw std::runtime_error(attempt.link.error().message);
  auto link = std::move(*attempt.link);
  const auto written = run(context, link->write(authenticate_frame));
  if (!written) throw std::runtime_error(written.error().message);
  const auto answer = run(context, link->read());
  if (!answer) throw std::runtime_error(answer.error().message);
  if (answer->find("\"authenticated\"") == std::string::npos) throw std::runtime_error(*answer);
  return link;
}

}  // namespace satellite::tests
