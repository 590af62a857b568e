#include "tests/benchmarks/sandbox_process.hpp"

#include "sandbox/launcher/launcher_link.hpp"
#include "sandbox/probe.hpp"
#include "sandbox/run.hpp"

#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace satellite::benchmarks {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

struct Silence : sandbox::RunObserver {
  void started(const sandbox::EffectiveSandbox&, std::chrono::system_clock::time_point) override {}
  asio::awaitable<void> output(sandbox::OutputStream, std::string_view) override { co_return; }
};

sandbox::Policy policy_without(Without layer) {
  sandbox::Policy policy = sandbox::shipped_default_policy();
  if (layer == Without::network || layer == Without::both) {
    policy.network.mode = sandbox::NetworkMode::unrestricted;
    policy.network.deny_link_local_and_metadata = false;
  }
  if (layer == Without::filesystem || layer == Without::both) {
    policy.filesystem.mode = sandbox::FilesystemMode::off;
  }
  return policy;
}

class Runs final : public MeasuringProcess::Measurement {
 public:
  explicit Runs(std::unique_ptr<sandbox::Launcher> launcher) : launcher_(std::move(launcher)) {
    settings_.default_identity = sandbox::Identity{65'532, 65'532};
    launcher_->attach(context_, [] { std::_Exit(1); });
    facts_ = sandbox::probe_host_first(context_, *launcher_, {settings_.default_identity});
  }

  std::string answer(const std::string& text) override {
    std::istringstream order(text);
    std::string engine;
    int runs = 0, at_a_time = 0, without = 0;
    order >> engine >> runs >> at_a_time >> without;
    policy_ = policy_without(static_cast<Without>(without));
    const auto chosen = engine == "bwrap" ? sandbox::Engine::bwrap : sandbox::Engine::native;
    return measure(chosen, runs, at_a_time);
  }

 private:
  std::string measure(sandbox::Engine engine, int runs, int at_a_time) {
    settings_.engines = {engine};
    sandbox::Runner runner(context_, *launcher_, facts_, settings_);
    answer_.str({});
    left_ = runs;
    const auto begun = Clock::now();
    for (int i = 0; i < at_a_time; ++i) asio::co_spawn(context_, keep_running(runner), rethrow);
    context_.restart();
    going_ = at_a_time;
    context_.run();
    answer_ << std::chrono::duration<double>(Clock::now() - begun).count();
    return answer_.str();
  }

  static void rethrow(const std::exception_ptr& problem) {
    if (problem) std::rethrow_exception(problem);
  }

  asio::awaitable<void> keep_running(sandbox::Runner& runner) {
    Silence silence;
    sandbox::CancelSwitch cancel(context_);
    const sandbox::ResolvedPolicy policy{policy_, false};
    while (left_-- > 0) {
      sandbox::RunRequest request;
      request.script = "echo hi";
      const auto start = Clock::now();
      const auto result = co_await runner.run(std::move(request), policy, silence, cancel);
      answer_ << std::chrono::duration<double, std::micro>(Clock::now() - start).count() << ' ';
      if (result.outcome != sandbox::Outcome::exited || !result.sandbox.downgrades.empty()) {
        throw std::runtime_error("a run failed: " + result.error.value_or("downgraded"));
      }
    }
    if (--going_ == 0) context_.stop();
  }

  asio::io_context context_{1};
  std::unique_ptr<sandbox::Launcher> launcher_;
  sandbox::RunnerSettings settings_;
  sandbox::HostFacts facts_;
  sandbox::Policy policy_;
  std::ostringstream answer_;
  int left_ = 0, going_ = 0;
};

MeasuringProcess::Measurement* begin() {
  auto launcher = sandbox::Launcher::start();
  return launcher ? new Runs(*std::move(launcher)) : nullptr;
}

}  // namespace

SandboxProcess::SandboxProcess() : process_(begin) {}

Timing SandboxProcess::measure(const std::string& engine, int runs, int at_a_time,
                               Without without) {
  return process_.ask(engine + " " + std::to_string(runs) + " " + std::to_string(at_a_time) + " " +
                      std::to_string(static_cast<int>(without)));
}

}  // namespace satellite::benchmarks
