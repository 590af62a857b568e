#include "tests/benchmarks/module_figures.hpp"

#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/probing/probe.hpp"
#include "sandbox/running/runner.hpp"
#include "tests/benchmarks/measuring_process.hpp"
#include "tests/benchmarks/process_figures.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>

namespace satellite::benchmarks {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr int module_rounds = 5, modules_per_round = 12;
constexpr std::size_t standing_runtimes = 4;
constexpr const char* hello = "console.log('hi');";

struct NobodyListens : sandbox::RunObserver {
  void started(const sandbox::EffectiveSandbox&, std::chrono::system_clock::time_point) override {}
  asio::awaitable<void> output(sandbox::OutputStream, std::string_view) override { co_return; }
};

double micros(Clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

std::string runtime_named(const std::string& name) {
  for (const char* directory : {"/usr/local/bin/", "/usr/bin/"}) {
    if (::access((directory + name).c_str(), X_OK) == 0) return directory + name;
  }
  return {};
}

/// Start to exit of the runtime with one line to say, as its user would start it.
double bare_start(const std::string& runtime, const std::string& file) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  std::string program = runtime, script = file, path = "PATH=/usr/local/bin:/usr/bin:/bin";
  char* const arguments[] = {program.data(), script.data(), nullptr};
  char* const environment[] = {path.data(), nullptr};
  pid_t pid = -1;
  const auto begin = Clock::now();
  if (::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments, environment) != 0) {
    throw std::runtime_error("cannot start " + runtime);
  }
  ::waitpid(pid, nullptr, 0);
  const double took = micros(Clock::now() - begin);
  ::posix_spawn_file_actions_destroy(&actions);
  return took;
}

/// The runtimes below the launcher: each is the child of an init.
std::vector<pid_t> runtimes_below(pid_t launcher) {
  std::vector<pid_t> found;
  for (const pid_t init : process_family(launcher)) {
    if (init == launcher) continue;
    for (const pid_t child : process_family(init)) {
      if (child != init) found.push_back(child);
    }
  }
  return found;
}

/// Answers `bare|cold|warm|size RUNTIME RUNS`.
class ModuleRuns final : public MeasuringProcess::Measurement {
 public:
  explicit ModuleRuns(std::unique_ptr<sandbox::Launcher> launcher)
      : launcher_(std::move(launcher)) {
    std::signal(SIGPIPE, SIG_IGN);
    settings_.default_identity = sandbox::Identity{65'532, 65'532};
    settings_.engines = {sandbox::Engine::native};
    launcher_->attach(context_, [] { std::_Exit(1); });
    facts_ = sandbox::probe_host_first(context_, *launcher_, {settings_.default_identity});
    policy_.resources.max_processes = 4'096;
    file_ = files_.write("hello.mjs", hello);
  }

  std::string answer(const std::string& text) override {
    std::istringstream order(text);
    std::string kind, runtime;
    int runs = 0;
    order >> kind >> runtime >> runs;
    std::ostringstream answer;
    if (kind == "bare") {
      for (int i = 0; i < runs; ++i) answer << bare_start(runtime, file_) << ' ';
      answer << 0;
      return answer.str();
    }
    settings_.module_runtime = runtime;
    settings_.standing_modules.count_max = kind == "cold" ? 0 : standing_runtimes;
    settings_.prepared_runs = kind == "cold" ? 2 : 0;
    sandbox::Runner runner(context_, *launcher_, facts_, settings_);
    run_one(runner);  // finds the runtime
    if (kind == "size") return size_of_standing(runner);
    for (int i = 0; i < runs; ++i) {
      wait_until_ready(runner);
      answer << run_one(runner) << ' ';
      if (!was_warm_) throw std::runtime_error("nothing stood ready for a module");
    }
    answer << 0;
    return answer.str();
  }

 private:
  std::string size_of_standing(sandbox::Runner& runner) {
    for (int i = 0; i < 40 && runner.count_standing() < standing_runtimes; ++i) {
      run_together(runner);
      wait_until_ready(runner);
      pause();
    }
    const auto standing = runtimes_below(launcher_->pid());
    std::ostringstream answer;
    for (const pid_t pid : standing) answer << proportional_size_mb({pid}) << ' ';
    answer << 0;
    return answer.str();
  }

  void pause() {
    asio::steady_timer timer(context_, std::chrono::milliseconds(500));
    timer.async_wait([this](const boost::system::error_code&) { context_.stop(); });
    context_.restart();
    context_.run();
  }

  /// A sandbox for a cold start, or a runtime in one.
  void wait_until_ready(sandbox::Runner& runner) {
    const auto is_ready = [&runner] {
      return runner.count_standing() + runner.count_prepared() > 0;
    };
    asio::steady_timer look(context_);
    std::function<void()> again = [&] {
      if (is_ready()) return context_.stop();
      look.expires_after(std::chrono::milliseconds(2));
      look.async_wait([&](const boost::system::error_code&) { again(); });
    };
    if (is_ready()) return;
    again();
    context_.restart();
    context_.run();
  }

  double run_one(sandbox::Runner& runner) {
    left_ = 1;
    asio::co_spawn(context_, one(runner), rethrow);
    context_.restart();
    context_.run();
    return took_;
  }
  void run_together(sandbox::Runner& runner) {
    left_ = standing_runtimes;
    for (std::size_t i = 0; i < standing_runtimes; ++i) {
      asio::co_spawn(context_, one(runner), rethrow);
    }
    context_.restart();
    context_.run();
  }

  static void rethrow(const std::exception_ptr& problem) {
    if (problem) std::rethrow_exception(problem);
  }

  asio::awaitable<void> one(sandbox::Runner& runner) {
    NobodyListens nobody;
    sandbox::CancelSwitch cancel(context_);
    sandbox::RunRequest request;
    request.language = sandbox::Language::module;
    request.script = hello;
    sandbox::ResolvedPolicy policy{policy_, false};
    const auto begin = Clock::now();
    const auto result = co_await runner.run(std::move(request), std::move(policy), nobody, cancel);
    took_ = micros(Clock::now() - begin);
    was_warm_ = result.was_prepared;
    if (!result.answer || !result.answer->ok) {
      throw std::runtime_error("a module failed: " + result.error.value_or("no answer"));
    }
    if (--left_ == 0) context_.stop();
  }

  asio::io_context context_{1};
  std::unique_ptr<sandbox::Launcher> launcher_;
  sandbox::RunnerSettings settings_;
  sandbox::HostFacts facts_;
  sandbox::Policy policy_ = sandbox::shipped_default_policy();
  tests::TempDir files_;
  std::string file_;
  std::size_t left_ = 0;
  double took_ = 0;
  bool was_warm_ = false;
};

MeasuringProcess::Measurement* begin_modules() {
  auto launcher = sandbox::Launcher::start();
  return launcher ? new ModuleRuns(*std::move(launcher)) : nullptr;
}

void add_figures(MeasuringProcess& process, const std::string& name, std::vector<Figure>& figures) {
  const std::string path = runtime_named(name);
  if (path.empty()) return;
  Samples bare, cold, warm;
  const auto ask = [&](const std::string& kind, Samples& samples) {
    const auto timing = process.ask(kind + " " + path + " " + std::to_string(modules_per_round));
    samples.insert(samples.end(), timing.latencies.begin(), timing.latencies.end());
  };
  for (int round = 0; round < module_rounds; ++round) {
    ask("bare", bare);
    ask("cold", cold);
    ask("warm", warm);
  }
  const auto size = process.ask("size " + path + " 0");
  const double unit = median(bare);
  const bool is_bun = name == "bun";
  figures.push_back(
      {"module_bare_" + name, name + " hello.mjs, start to exit", unit, "us", std::nullopt, ""});
  figures.push_back({"module_cold_" + name, "the same in a sandbox that stood ready", median(cold),
                     "us", median(cold) / unit, is_bun ? "<= 2.0x" : "<= 1.5x"});
  figures.push_back({"module_warm_" + name, "by a runtime that stood ready", median(warm), "us",
                     median(warm) / unit, is_bun ? "<= 0.8x" : "<= 0.3x"});
  figures.push_back({"module_standing_pss_" + name, "of one of four that stand",
                     median(size.latencies), "MB", std::nullopt, ""});
}

}  // namespace

std::vector<Figure> measure_modules() {
  MeasuringProcess process(begin_modules);
  std::vector<Figure> figures;
  for (const char* name : {"bun", "node"}) add_figures(process, name, figures);
  return figures;
}

}  // namespace satellite::benchmarks
