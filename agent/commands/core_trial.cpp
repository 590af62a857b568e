#include "agent/commands/core_trial.hpp"

#include "agent/commands/preconditions.hpp"
#include "agent/commands/terminal.hpp"
#include "agent/connection/proxy_choice.hpp"
#include "agent/runtime/event_loop.hpp"
#include "agent/runtime/version.hpp"
#include "protocol/vocabulary/printable.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <optional>
#include <utility>

namespace satellite::agent {
namespace {

constexpr std::size_t told_size_max = 1'024;

std::string way_in_words(const Config& config, const CoreAddress& core) {
  const auto choice = choose_proxy(config.proxy, core);
  if (!choice) return "which way is not known";
  return (choice->proxy ? "through the proxy " + choice->proxy->url : std::string("directly")) +
         " (" + choice->why + ")";
}

std::optional<WayCredentials> credentials_of(const Config& config, std::string_view token) {
  if (token.empty()) return std::nullopt;
  const auto announced = announced_by(config);
  return WayCredentials{
      config.client_id, Secret(std::string(token)), {announced.begin(), announced.end()}};
}

boost::asio::awaitable<void> try_into(std::optional<WayTrial>& trial, CoreAddress core,
                                      LinkSettings settings,
                                      std::optional<WayCredentials> credentials,
                                      std::chrono::steady_clock::time_point deadline) {
  auto tried =
      co_await try_way(std::move(core), std::move(settings), std::move(credentials), deadline);
  trial = std::move(tried);
}

}  // namespace

CoreTrial try_core(const Config& config, const CoreAddress& core, std::string_view token) {
  CoreTrial told{core, way_in_words(config, core), {}};
  const auto now = std::chrono::system_clock::now();
  LinkSettings settings;
  auto trust = trust_named_by(config);
  auto proxy = proxy_for(config.proxy, core, trust ? *trust : tls::Settings());
  if (!trust || !proxy) {
    WayTrial failed;
    failed.stage = trust ? ConnectStage::proxy : ConnectStage::trust;
    failed.failure = trust ? proxy.error() : trust.error();
    failed.has_begun = false;
    told.steps = steps_of(failed, core, now);
    return told;
  }
  settings.tls = *std::move(trust);
  settings.proxy = *std::move(proxy);
  settings.resolver = config.resolver;
  settings.user_agent = std::string("checkstack-satellite/") + program_version;
  const auto deadline = std::chrono::steady_clock::now() + config.connect_deadline;
  EventLoop context;
  std::optional<WayTrial> trial;
  std::exception_ptr thrown;
  boost::asio::co_spawn(
      context, try_into(trial, core, std::move(settings), credentials_of(config, token), deadline),
      [&](std::exception_ptr problem) {
        thrown = problem;
        context.stop();
      });
  context.run();
  context.destroy_pending();
  if (thrown) std::rethrow_exception(thrown);
  told.steps = steps_of(*trial, core, now);
  return told;
}

void print_trial(std::ostream& out, const CoreTrial& trial) {
  out << "\nThe way to " << trial.core.url() << ", " << trial.way << ":\n";
  std::size_t width = 0;
  for (const WayStep& step : trial.steps) width = std::max(width, step.name.size());
  for (const WayStep& step : trial.steps) {
    const std::string mark =
        step.state == WayStep::State::done     ? coloured(Colour::good, "ok       ")
        : step.state == WayStep::State::failed ? coloured(Colour::bad, "failed   ")
                                               : coloured(Colour::quiet, "not tried");
    out << mark << (step.state == WayStep::State::not_tried ? " " : "") << step.name
        << std::string(width + 2 - step.name.size(), ' ') << printable(step.detail, told_size_max)
        << '\n';
    if (!step.remedy.empty()) {
      out << "         remedy: " << printable(step.remedy, told_size_max) << '\n';
    }
  }
}

}  // namespace satellite::agent
