#include "tests/benchmarks/sandbox_process.hpp"

#include "sandbox/launcher/launcher_link.hpp"
#include "sandbox/probe.hpp"
#include "sandbox/run.hpp"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <csignal>
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

class Runs {
 public:
  explicit Runs(std::unique_ptr<sandbox::Launcher> launcher) : launcher_(std::move(launcher)) {
    settings_.default_identity = sandbox::Identity{65'532, 65'532};
    facts_ = sandbox::probe_host(*launcher_, {settings_.default_identity});
    launcher_->attach(context_, [] { std::_Exit(1); });
  }

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

 private:
  static void rethrow(const std::exception_ptr& problem) {
    if (problem) std::rethrow_exception(problem);
  }

  asio::awaitable<void> keep_running(sandbox::Runner& runner) {
    Silence silence;
    sandbox::CancelSwitch cancel(context_);
    const sandbox::ResolvedPolicy policy{sandbox::shipped_default_policy(), false};
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
  std::ostringstream answer_;
  int left_ = 0, going_ = 0;
};

[[noreturn]] void serve(int socket) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto launcher = sandbox::Launcher::start();
  if (!launcher) std::_Exit(1);
  Runs all(*std::move(launcher));
  std::string buffer(1U << 10U, '\0');
  while (true) {
    const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (got <= 0) break;
    std::istringstream order(buffer.substr(0, static_cast<std::size_t>(got)));
    std::string engine;
    int runs = 0, at_a_time = 0;
    order >> engine >> runs >> at_a_time;
    const std::string answer = all.measure(
        engine == "bwrap" ? sandbox::Engine::bwrap : sandbox::Engine::native, runs, at_a_time);
    ::send(socket, answer.data(), answer.size(), 0);
  }
  std::exit(0);
}

}  // namespace

SandboxProcess::SandboxProcess() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error("socketpair failed");
  }
  for (const int end : ends) {
    const int size = 1 << 20;
    ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  }
  pid_ = ::fork();
  if (pid_ == 0) {
    ::close(ends[0]);
    serve(ends[1]);
  }
  ::close(ends[1]);
  socket_ = ends[0];
}

SandboxProcess::~SandboxProcess() {
  ::close(socket_);
  ::waitpid(pid_, nullptr, 0);
}

SandboxProcess::Timing SandboxProcess::measure(const std::string& engine, int runs, int at_a_time) {
  const std::string order =
      engine + " " + std::to_string(runs) + " " + std::to_string(at_a_time) + " ";
  ::send(socket_, order.data(), order.size(), 0);
  std::string buffer(1U << 20U, '\0');
  const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
  if (got <= 0) throw std::runtime_error("the sandbox process could not run with " + engine);
  std::istringstream answer(buffer.substr(0, static_cast<std::size_t>(got)));
  Timing timing;
  for (double value = 0; answer >> value;) timing.latencies.push_back(value);
  timing.seconds = timing.latencies.back();
  timing.latencies.pop_back();
  return timing;
}

}  // namespace satellite::benchmarks
