#include "agent/agent.hpp"

#include "agent/agent_parts.hpp"
#include "agent/checks/secret_fetch.hpp"
#include "agent/config/sandbox_settings.hpp"
#include "agent/connection/core_rotation.hpp"
#include "agent/connection/session.hpp"
#include "agent/connection/short_connections.hpp"
#include "agent/dispatch/dispatcher.hpp"
#include "agent/intake/inbox.hpp"
#include "agent/intake/offline_cache.hpp"
#include "agent/intake/relayed_policy.hpp"
#include "agent/operation/collect_status.hpp"
#include "agent/operation/service_reports.hpp"
#include "agent/operation/status_service.hpp"
#include "agent/outbound/run_resources.hpp"
#include "agent/outbound/run_services.hpp"
#include "agent/packages/script_packages.hpp"
#include "agent/runtime/degraded_states.hpp"
#include "agent/runtime/event_loop.hpp"
#include "agent/runtime/log_flush.hpp"
#include "agent/runtime/loop_watch.hpp"
#include "agent/runtime/process_signals.hpp"
#include "agent/runtime/run_until.hpp"
#include "agent/runtime/start_memory.hpp"
#include "agent/runtime/version.hpp"
#include "agent/schedule/scheduler.hpp"
#include "protocol/vocabulary/file_version.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "sandbox/host/readiness.hpp"
#include "sandbox/planning/observability.hpp"
#include "sandbox/probing/probe.hpp"
#include "sandbox/running/runner.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

namespace {

// Short, because an operator waits for it; each look is one stat(2).
constexpr std::chrono::seconds look_for_files_every{1};
// Beyond the drain: the grace of runs that are ended, what is left to say, and the disk.
constexpr std::chrono::seconds stop_takes_at_most{15};
// A disk that does not take it in this time does not keep the service manager waiting.
constexpr std::chrono::seconds store_flush_deadline{2};
// By then most satellites are connected and have read what waits on disk.
constexpr std::chrono::seconds started_after{2};

class Agent {
 public:
  Agent(AgentDependencies dependencies, asio::io_context& context, std::vector<CoreAddress> cores)
      : dependencies_(std::move(dependencies)),
        context_(context),
        cores_(std::move(cores)),
        core_(cores_.front().url()),
        record_(context),
        run_resources_(dependencies_.log, degraded_),
        runner_(context, *dependencies_.launcher, watched_runner_settings()),
        store_(context, dependencies_.store),
        outbox_(context, store_, outbox_settings(dependencies_.config)),
        states_(context, dependencies_.log, store_,
                states_place(dependencies_.store, dependencies_.state_directory),
                ByteCount{dependencies_.config.host_view.state_bytes}),
        secrets_(context, outbox_),
        packages_(context, dependencies_.log,
                  packages_place(dependencies_.config, dependencies_.state_directory),
                  [this](const auto& message) { outbox_.push_for_this_connection(message); }),
        services_(run_services()),
        dispatcher_(services_),
        scheduler_(services_, secrets_),
        relayed_policy_(context, policies_, dependencies_.log, dependencies_.config, degraded_),
        offline_(context, dependencies_.log, dependencies_.config, store_, dependencies_.token,
                 degraded_, cache_place(dependencies_.state_directory, cores_)),
        inbox_(dependencies_.log, dependencies_.config,
               {relayed_policy_, dispatcher_, scheduler_, secrets_, packages_, outbox_, offline_}),
        log_flush_(context, dependencies_.log),
        service_reports_(context, dependencies_.service, record_, [this] { return core_; }),
        status_service_(context, dependencies_.log,
                        status_settings(dependencies_.config, dependencies_.state_directory),
                        {[this] { return collect_status(status_sources()); },
                         [this] { return collect_sample(status_sources()); }}),
        loop_watch_(context, dependencies_.log),
        stop_signal_(context, {SIGTERM, SIGINT}),
        reload_signal_(context, {SIGHUP}),
        wait_timer_(context),
        lasting_timer_(context),
        stop_asked_(context),
        stop_began_(context),
        rotation_(rotation_of(dependencies_.config, cores_.size())) {
    store_.listen({[](const StoreSnapshot&) {},
                   [this](StoreFault fault, const std::string& why) { log_store(fault, why); }});
    dependencies_.launcher->attach(context, [this] { launcher_lost(); });
    runner_.on_dropped([this](auto what, auto why) { log_dropped(what, why); });
    dependencies_.launcher->watch_unkillable([this](const auto& run) { log_unkillable(run); });
  }

  asio::awaitable<void> run() {
    store_.open();
    states_.open();
    offline_.open([this](auto restored) { inbox_.restore(std::move(restored)); });
    service_reports_.ready();
    co_await (stay_connected() && scheduler_.run() && watch_loop() && stop_when_told() &&
              look_at_host() && packages_.run() && reload_when_told() && service_reports_.run() &&
              status_service_.run());
    co_await flush_store();
  }
  AgentEnd end() const { return end_; }
  void join_threads() {
    inbox_.join_reader();
    packages_.stop();  // unless it was told to already
    packages_.join();
  }

 private:
  sandbox::RunnerSettings watched_runner_settings() {
    auto settings = runner_settings(dependencies_.config);
    settings.on_result = [this](const auto& result) { run_resources_.note(result); };
    return settings;
  }
  RunServices run_services() {
    return {context_,
            dependencies_.log,
            dependencies_.config,
            runner_,
            policies_,
            outbox_,
            packages_,
            store_,
            statistics_,
            states_};
  }
  StatusSources status_sources() const {
    return {services_,
            dispatcher_,
            scheduler_,
            relayed_policy_,
            record_,
            degraded_,
            core_,
            dependencies_.state_directory,
            dependencies_.process_started,
            host_is_known_,
            stopping_,
            runs_unkillable_};
  }
  /// Beside the first connection: neither waits for the other, a run waits for both.
  asio::awaitable<void> look_at_host();
  void log_host_capabilities() {
    auto capabilities = sandbox::startup_capabilities(
        policy_for_run(policies_.resolve(), dependencies_.config), runner_.facts(),
        runner_settings(dependencies_.config).default_identity,
        dependencies_.config.sandbox_uid_range, dependencies_.config.sandbox_engines);
    // `doctor` explains these at length; the log line has the facts.
    capabilities["capabilities"].erase("findings");
    capabilities.erase("layers");
    dependencies_.log.info("sandbox_capabilities", capabilities.dump());
    const auto readiness =
        sandbox::assess_readiness(runner_.facts(), dependencies_.config.sandbox_engines,
                                  dependencies_.config.operators_word.may_be_unconfined());
    if (!readiness.enforceable) dependencies_.log.warn("sandbox_not_ready", readiness.guidance);
  }
  asio::awaitable<void> stay_connected();
  asio::awaitable<void> wait_before_next(EndedConnection ended);
  void tell_pattern(ConnectionPattern pattern, std::chrono::milliseconds wait);
  bool look_at_files();
  asio::awaitable<void> watch_loop();
  asio::awaitable<void> reload_when_told();
  asio::awaitable<void> stop_when_told();
  asio::awaitable<void> drain_runs();
  void launcher_lost();
  void log_unkillable(const sandbox::UnkillableRun& run);
  void log_dropped(std::string_view what, std::string_view why);
  void log_store(StoreFault fault, const std::string& why);
  asio::awaitable<void> flush_store();

  AgentDependencies dependencies_;
  asio::io_context& context_;
  std::vector<CoreAddress> cores_;
  std::string core_;  ///< the one that is tried or used now
  ConnectionRecord record_;
  DegradedStates degraded_;
  RunResources run_resources_;
  sandbox::PolicyProvider policies_;
  RunStatistics statistics_;
  sandbox::Runner runner_;
  Store store_;
  Outbox outbox_;
  CheckStates states_;
  SecretFetch secrets_;
  ScriptPackages packages_;
  const RunServices services_;
  Dispatcher dispatcher_;
  Scheduler scheduler_;
  RelayedPolicy relayed_policy_;
  OfflineCache offline_;
  Inbox inbox_;
  LogFlush log_flush_;
  ServiceReports service_reports_;
  StatusService status_service_;
  LoopWatch loop_watch_;
  ProcessSignals stop_signal_, reload_signal_;
  asio::steady_timer wait_timer_, lasting_timer_;
  Notification stop_asked_;
  Notification stop_began_;
  CoreRotation rotation_;
  FileVersion proxy_user_;  ///< of the file with user and password for the proxy
  ShortConnections short_connections_;
  std::uint64_t attempts_ = 0;
  std::mt19937_64 random_{std::random_device{}()};
  Session* session_ = nullptr;  ///< the one of this moment, if any
  AgentEnd end_ = AgentEnd::stopped;
  bool stopping_ = false, host_is_known_ = false;
  std::size_t runs_unkillable_ = 0;
  bool wants_new_connection_ = false;  ///< something was reloaded, so nobody waits for the next one
  bool core_answers_registration_probe_ = false;
  std::string last_dropped_;
};

asio::awaitable<void> Agent::look_at_host() {
  sandbox::ProbeSettings settings = probe_settings(dependencies_.config);
  settings.tries_egress = false;  // nobody waits at start for what the first run may need
  auto looking = sandbox::probe_host(context_, *dependencies_.launcher, std::move(settings));
  auto stopping = stop_began_.wait();
  auto first = run_until(std::move(looking), std::move(stopping));
  auto facts = co_await std::move(first);
  if (!facts) co_return;  // no run starts any more
  runner_.learn(*std::move(facts));
  host_is_known_ = true;
  log_host_capabilities();
  asio::steady_timer started(context_, started_after);
  co_await (started.async_wait(asio::use_awaitable) || stop_began_.wait());
  give_back_start_memory();
}

asio::awaitable<void> Agent::stay_connected() {
  while (!stopping_) {
    wants_new_connection_ = false;
    look_at_files();
    const CoreAddress& address = cores_.at(rotation_.current());
    core_ = address.url();
    Session session(
        {context_, dependencies_.log, dependencies_.config, address, inbox_, secrets_, outbox_,
         dependencies_.process_started, dependencies_.token.token(),
         trust_of(dependencies_.config, dependencies_.authorities, dependencies_.identity), record_,
         core_answers_registration_probe_});
    session_ = &session;
    ++record_.attempts;
    ++attempts_;
    const auto ended = co_await session.run();
    session_ = nullptr;
    if (!record_.authenticated_at) ++record_.failures;
    record_.authenticated_at.reset();
    record_.disconnected_at = std::chrono::steady_clock::now();
    core_answers_registration_probe_ =
        session.core_answers_registration_probe().value_or(core_answers_registration_probe_);
    if (stopping_) co_return;
    co_await wait_before_next(ended);
  }
}

void Agent::tell_pattern(ConnectionPattern pattern, std::chrono::milliseconds wait) {
  if (pattern == ConnectionPattern::none) return degraded_.leave("connection");
  const auto [state, why] = words_of(pattern);
  const DegradedState* const told = degraded_.find("connection");
  if (told == nullptr || told->name != state) {
    dependencies_.log.warn(state, why, {{"in_a_row", short_connections_.in_a_row()}});
  }
  degraded_.enter("connection", state, why);
  // The next one, if it lasts, is the end of it.
  lasting_timer_.expires_after(wait + dependencies_.config.connect_deadline + limits::stable_after);
  lasting_timer_.async_wait([this, next = attempts_ + 1](const boost::system::error_code& failure) {
    if (failure || attempts_ != next) return;
    short_connections_ = {};
    degraded_.leave("connection");
  });
}

asio::awaitable<void> Agent::wait_before_next(EndedConnection ended) {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  const double random = std::uniform_real_distribution<double>(0.0, 1.0)(random_);
  const auto pattern = short_connections_.note(ended);
  const bool was_accepted = ended.authenticated_for.count() > 0;
  if (pattern == ConnectionPattern::displaced && was_accepted) ended.end = ConnectionEnd::displaced;
  const auto wait = rotation_.next_wait(ended, random, std::chrono::steady_clock::now());
  tell_pattern(pattern, wait);
  const bool watches_files =
      ended.end == ConnectionEnd::proxy_refused ||
      (ended.end == ConnectionEnd::unauthorised && dependencies_.token.is_file());
  dependencies_.log.info("reconnect_waits", reason_to_wait(ended.end, watches_files),
                         {{"in", wait},
                          LogField::varying("attempt", rotation_.attempt()),
                          {"core", cores_.at(rotation_.current()).url()}});
  const auto until = std::chrono::steady_clock::now() + wait;
  record_.next_attempt_at = until;
  record_.changed.notify_all();
  while (!stopping_ && !wants_new_connection_ && std::chrono::steady_clock::now() < until) {
    const auto look = std::chrono::steady_clock::now() + look_for_files_every;
    wait_timer_.expires_at(watches_files ? std::min(until, look) : until);
    co_await wait_timer_.async_wait(without_throwing);
    if (watches_files && look_at_files()) break;
  }
  record_.next_attempt_at.reset();
}

bool Agent::look_at_files() {
  // Each connection reads them anew; here counts only whether there is something new to try.
  const auto proxy_user = version_of_file(dependencies_.config.proxy.credentials_file);
  const bool has_new_proxy_user = std::exchange(proxy_user_, proxy_user) != proxy_user;
  const bool changed = dependencies_.reload.look_at_files() || has_new_proxy_user;
  if (changed) rotation_.credentials_changed();
  return changed;
}

asio::awaitable<void> Agent::reload_when_told() {
  while (!stopping_) {
    const auto told = co_await (reload_signal_.received() || stop_began_.wait());
    if (told.index() == 1) co_return;
    service_reports_.reloading();
    const bool changed = dependencies_.reload.perform();
    if (changed) rotation_.credentials_changed();
    // Who asks for a reload while the satellite waits wants it to try.
    wants_new_connection_ = changed || session_ == nullptr;
    wait_timer_.cancel();
    if (changed && session_ != nullptr) session_->reload();
    service_reports_.ready();
  }
}

asio::awaitable<void> Agent::watch_loop() {
  if (dependencies_.config.loop_watch) {
    co_await loop_watch_.run();
  }
}

asio::awaitable<void> Agent::stop_when_told() {
  const auto told = co_await (stop_signal_.received() || stop_asked_.wait());
  const bool may_drain = told.index() == 0;
  dependencies_.log.info("stopping", may_drain ? std::get<0>(told) : "the launcher is gone");
  service_reports_.stopping(dependencies_.config.drain_max + stop_takes_at_most);
  if (may_drain) {
    co_await drain_runs();
  }
  stopping_ = true;
  stop_began_.notify_all();
  wait_timer_.cancel();
  co_await (dispatcher_.stop() && scheduler_.stop());
  packages_.stop();
  loop_watch_.stop();
  // The connection may have come or gone while the runs were ending.
  if (session_ != nullptr) session_->stop();
  service_reports_.stop();
  status_service_.stop();
}

/// What runs goes on for a while, under the same connection, and is reported as ever; a second
/// signal says that nobody wants to wait.
asio::awaitable<void> Agent::drain_runs() {
  dispatcher_.admit_no_more();
  scheduler_.start_no_more();
  const std::size_t running = dispatcher_.running() + scheduler_.running();
  const auto limit = dependencies_.config.drain_max;
  if (running == 0 || limit.count() == 0) co_return;
  dependencies_.log.info("draining", "runs may end by themselves before they are ended",
                         {{"running", running}, {"limit", std::chrono::milliseconds(limit)}});
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  asio::steady_timer deadline(context_, limit);
  co_await ((dispatcher_.idle() && scheduler_.idle()) || deadline.async_wait(without_throwing) ||
            stop_signal_.received() || stop_asked_.wait());
}

void Agent::launcher_lost() {
  if (stopping_) return;
  dependencies_.log.error("launcher_lost",
                          "the launcher process is gone: no script can run any more");
  end_ = AgentEnd::launcher_lost;
  stop_asked_.notify_all();
}

void Agent::log_unkillable(const sandbox::UnkillableRun& run) {
  runs_unkillable_ = run.held;
  if (run.is_there) {
    dependencies_.log.warn(
        "run_unkillable",
        "processes of a run cannot be killed; its user id and scratch directory are "
        "set aside until they are gone, other runs go on",
        {{"number", run.run_number}, {"held", run.held}});
  } else {
    dependencies_.log.info("run_unkillable_gone",
                           "the processes of a run that could not be killed are gone",
                           {{"number", run.run_number}, {"held", run.held}});
  }
}

/// What stood ready went and something started without it. The same reason again and again, as on a
/// host that mounts something every minute, is said once.
void Agent::log_dropped(std::string_view what, std::string_view why) {
  const bool is_new = last_dropped_ != why;
  last_dropped_ = why;
  const auto log_at = is_new ? &Log::warn : &Log::debug;
  (dependencies_.log.*log_at)("not_ready_any_more", why, {{"what", what}});
}

void Agent::log_store(StoreFault fault, const std::string& why) {
  if (fault == StoreFault::none) {
    const auto& queue = outbox_.queue();
    dependencies_.log.info("outbox_ready",
                           "what waits for the core survives the end of this process",
                           {{"messages", queue.size()}, {"bytes", queue.bytes().value}});
    return;
  }
  if (fault == StoreFault::ephemeral) {
    dependencies_.log.info("outbox_ephemeral",
                           why + ": what waits for the core is in memory and lost at the end");
    return;
  }
  dependencies_.log.warn("outbox_degraded",
                         why +
                             "; what waits for the core is kept in memory, and lost should this "
                             "process end before the disk is well again",
                         {{"state", name_of(fault)}});
}

asio::awaitable<void> Agent::flush_store() {
  // Shared: a disk that hangs may answer when nobody waits any more.
  const auto flushed = std::make_shared<asio::steady_timer>(context_, store_flush_deadline);
  store_.flush([flushed] { flushed->cancel(); });
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  co_await flushed->async_wait(without_throwing);
}

/// However serving ends, also by an exception: what is suspended refers to the agent, so it goes
/// first, and the thread that reads for it before.
class EndOfLoop {
 public:
  EndOfLoop(Agent& agent, EventLoop& loop) : agent_(agent), loop_(loop) {}
  ~EndOfLoop() {
    agent_.join_threads();
    loop_.destroy_pending();
  }
  EndOfLoop(const EndOfLoop&) = delete;
  EndOfLoop& operator=(const EndOfLoop&) = delete;

 private:
  Agent& agent_;
  EventLoop& loop_;
};

}  // namespace

AgentEnd serve(AgentDependencies dependencies) {
  EventLoop context;
  auto cores = parse_core_urls(dependencies.config.core_url);
  // The command checked it; a core URL that is wrong here is our own mistake.
  if (!cores) throw std::logic_error(cores.error().message);
  if (dependencies.config.core_order == CoreOrder::shuffled) {
    std::shuffle(cores->begin(), cores->end(), std::mt19937_64(std::random_device{}()));
  }
  dependencies.log.info("starting", "",
                        {{"version", program_version},
                         {"core", cores->front().url()},
                         {"cores", cores->size()},
                         {"id", dependencies.config.client_id}});
  Agent agent(std::move(dependencies), context, *std::move(cores));
  std::exception_ptr failure;
  const EndOfLoop end_of_loop(agent, context);
  asio::co_spawn(context, agent.run(), [&](std::exception_ptr thrown) {
    failure = thrown;
    // What still listens (signals, the launcher) listens for as long as the agent lives, not
    // longer.
    context.stop();
  });
  context.run();
  if (failure) std::rethrow_exception(failure);
  return agent.end();
}

}  // namespace satellite::agent
