#include "agent/commands/packages_sync.hpp"

#include "agent/commands/commands.hpp"
#include "agent/commands/input.hpp"
#include "agent/commands/preconditions.hpp"
#include "agent/connection/websocket_link.hpp"
#include "agent/packages/script_packages.hpp"
#include "agent/runtime/event_loop.hpp"
#include "agent/runtime/log.hpp"
#include "agent/runtime/private_memory.hpp"
#include "agent/runtime/process_signals.hpp"
#include "agent/runtime/version.hpp"
#include "protocol/decode.hpp"
#include "protocol/encode.hpp"
#include "protocol/negotiation.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <deque>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

namespace {

/// One connection that fetches packages and does nothing else.
class PackagesSync {
 public:
  PackagesSync(asio::io_context& context, CoreSettings settings, Log& log)
      : settings_(std::move(settings)),
        packages_(context, log, place_of(settings_.loaded.config),
                  [this](const protocol::AgentMessage& message) { speak(message); }),
        stop_signal_(context, {SIGTERM, SIGINT}),
        changed_(context) {}

  asio::awaitable<void> run() {
    const auto opened = co_await (open() || stop_signal_.received());
    if (opened.index() == 1) finish("stopped by a signal");
    if (done_) co_return;
    co_await (packages_.run() && read_frames() && write_frames() && keep_alive() &&
              close_when_done() && stop_when_told());
  }
  void join() { packages_.join(); }
  /// Nothing = the packages are there.
  const std::optional<std::string>& failure() const { return failure_; }
  const std::string& outcome() const { return outcome_; }

 private:
  asio::awaitable<void> open() {
    const Config& config = settings_.loaded.config;
    LinkSettings link_settings;
    auto trust = trust_named_by(config);
    if (!trust) {
      finish(trust.error().message);
      co_return;
    }
    link_settings.tls = *std::move(trust);
    auto proxy = proxy_for(config.proxy, settings_.cores.front(), link_settings.tls);
    if (!proxy) {
      finish(proxy.error().message);
      co_return;
    }
    link_settings.proxy = *std::move(proxy);
    link_settings.resolver = config.resolver;
    link_settings.user_agent = std::string("checkstack-satellite/") + program_version;
    const auto deadline = std::chrono::steady_clock::now() + limits::connect_deadline;
    auto attempt =
        co_await connect_websocket(settings_.cores.front(), std::move(link_settings), deadline);
    if (!attempt.link) {
      finish(attempt.link.error().message);
      co_return;
    }
    link_ = *std::move(attempt.link);
    std::string frame = protocol::encode(protocol::Authenticate{
        config.client_id,
        config.token.duplicate(),
        {protocol::own_capabilities.begin(), protocol::own_capabilities.end()}});
    const auto written = co_await link_->write_and_wipe(std::move(frame));
    if (!written) finish(written.error().message);
  }

  static PackagesPlace place_of(const Config& config) {
    PackagesPlace place;
    place.state_directory = config.state_directory;
    place.scratch_parent = config.scratch_directory;
    return place;
  }

  void finish(std::optional<std::string> failure) {
    if (done_) return;
    done_ = true;
    failure_ = std::move(failure);
    packages_.stop();
    changed_.notify_all();
  }

  void speak(const protocol::AgentMessage& message) {
    queue_.push_back(protocol::encode(message));
    changed_.notify_all();
    const auto* state = std::get_if<protocol::ScriptPackageSyncState>(&message);
    if (state == nullptr || state->status == protocol::PackageSyncStatus::syncing) return;
    ends_after_queue_ = true;
    failure_ = state->error_message;
    outcome_ = state->lockfile_hash ? "script packages " + *state->lockfile_hash + " are there"
                                    : "the core wants no script packages";
  }

  void take(protocol::CoreMessage message) {
    if (auto* authenticated = std::get_if<protocol::Authenticated>(&message)) {
      if (!authenticated->script_packages.made) {
        return finish("the core says nothing about script packages");
      }
      packages_.connection_up(authenticated->script_packages);
    } else if (auto* refused = std::get_if<protocol::AuthFailed>(&message)) {
      finish("the core refused id or token: " + refused->reason);
    } else if (auto* wish = std::get_if<protocol::RefreshScriptPackages>(&message)) {
      packages_.receive(protocol::ScriptPackagesStatement{true, wish->lockfile_hash});
    } else if (auto* list = std::get_if<protocol::ScriptPackageManifest>(&message)) {
      packages_.receive(std::move(*list));
    } else if (auto* blob = std::get_if<protocol::ScriptPackageBlob>(&message)) {
      packages_.receive(std::move(*blob));
    }
  }

  asio::awaitable<void> read_frames() {
    while (true) {
      auto frame = co_await link_->read();
      if (!frame) {
        if (frame.error().code == ErrorCode::limit_exceeded) packages_.frame_too_large();
        packages_.connection_lost();
        finish(failure_.value_or(frame.error().message));
        co_return;
      }
      if (done_) continue;
      auto message = protocol::decode(*frame, limits::frame_after_authentication);
      if (message) take(*std::move(message));
    }
  }

  asio::awaitable<void> write_frames() {
    while (!done_) {
      if (queue_.empty()) {
        if (ends_after_queue_) {
          finish(failure_);
        } else {
          co_await changed_.wait();
        }
        continue;
      }
      std::string frame = std::move(queue_.front());
      queue_.pop_front();
      const auto written = co_await link_->write(std::move(frame));
      if (!written) finish(written.error().message);
    }
  }

  asio::awaitable<void> keep_alive() {
    const auto dead = co_await link_->keep_alive();
    finish(dead.message);
  }

  asio::awaitable<void> until_done() {
    while (!done_) {
      co_await changed_.wait();
    }
  }

  asio::awaitable<void> close_when_done() {
    co_await until_done();
    co_await link_->close(CloseCode::normal, "Client shutdown");
  }

  asio::awaitable<void> stop_when_told() {
    const auto first = co_await (stop_signal_.received() || until_done());
    if (first.index() == 0) finish("stopped by a signal");
  }

  CoreSettings settings_;
  ScriptPackages packages_;
  ProcessSignals stop_signal_;
  Notification changed_;
  std::unique_ptr<WebSocketLink> link_;
  std::deque<std::string> queue_;
  std::optional<std::string> failure_;
  std::string outcome_;
  bool ends_after_queue_ = false;
  bool done_ = false;
};

}  // namespace

int sync_packages(const Invocation& invocation) {
  keep_memory_private();
  auto settings = core_settings(invocation, SettingsUse::connects);
  if (!settings) {
    print_error(settings.error().message);
    return exit_wrong_usage;
  }
  const Config& config = settings->loaded.config;
  if (config.ephemeral) {
    print_error("state.ephemeral is set: there is no directory to keep script packages in");
    return exit_wrong_usage;
  }
  Log log(config.log_level, config.log_format);
  EventLoop context;
  PackagesSync sync(context, *std::move(settings), log);
  std::exception_ptr thrown;
  asio::co_spawn(context, sync.run(), [&](std::exception_ptr problem) {
    thrown = problem;
    context.stop();
  });
  context.run();
  sync.join();
  context.destroy_pending();
  if (thrown) std::rethrow_exception(thrown);
  if (sync.failure()) {
    print_error(*sync.failure());
    return exit_failed;
  }
  if (invocation.json) {
    std::cout << nlohmann::json{{"outcome", sync.outcome()}}.dump() << '\n';
  } else {
    std::cout << sync.outcome() << '\n';
  }
  return exit_done;
}

}  // namespace satellite::agent
