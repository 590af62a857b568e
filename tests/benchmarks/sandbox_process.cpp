#include "tests/benchmarks/sandbox_process.hpp"

#include "tests/benchmarks/process_figures.hpp"

#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/probing/probe.hpp"
#include "sandbox/running/runner.hpp"
#include "sandbox/state/packed_state.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <thread>

namespace satellite::benchmarks {
namespace {

namespace asio = boost::asio;
constexpr const char* ask_for_launcher = "launcher";
constexpr std::string_view ask_for_script = "script ";
using Clock = std::chrono::steady_clock;

struct Silence : sandbox::RunObserver {
  void started(const sandbox::EffectiveSandbox&, std::chrono::system_clock::time_point) override {
    started_at = Clock::now();
  }
  asio::awaitable<void> output(sandbox::OutputStream, std::string_view bytes) override {
    text += bytes;
    co_return;
  }
  Clock::time_point started_at;
  std::string text;
};

sandbox::Policy policy_for(const RunsToMeasure& what) {
  sandbox::Policy policy = sandbox::shipped_default_policy();
  // All runs here have one user, whose processes are counted together.
  policy.resources.max_processes = 256;
  if (what.without == Without::network || what.without == Without::both) {
    policy.network.mode = sandbox::NetworkMode::unrestricted;
    policy.network.deny_link_local_and_metadata = false;
  }
  if (what.without == Without::filesystem || what.without == Without::both) {
    policy.filesystem.mode = sandbox::FilesystemMode::off;
  }
  if (what.allowlist) {
    policy.network.mode = sandbox::NetworkMode::allowlist;
    policy.network.allow = {"192.0.2.1"};
  }
  return policy;
}

/// Disks, processes, system, and ports at which nobody listens.
void show_host(sandbox::HostView& view) {
  view.disks = view.processes = view.system = true;
  view.loopback = {21'001, 21'002, 21'003, 21'004};
}

void count_disks(const sandbox::EffectiveSandbox& report) {
  constexpr int wanted = 8;
  int disks = 0, others = 0;
  for (const auto& grant : report.grants) ++(grant.starts_with("disk ") ? disks : others);
  constexpr int processes_system_and_ports = 6;
  if (disks < wanted || others < processes_system_and_ports) {
    throw std::runtime_error("the host is not shown as it is to be");
  }
}

constexpr std::uint64_t state_bytes = 4U << 20U;  // each file takes whole pages

/// 1 MiB in a hundred files.
std::string packed_files() {
  constexpr int files = 100;
  const std::string content((1U << 20U) / files, 'x');
  std::string packed = sandbox::packed_state_head();
  for (int i = 0; i < files; ++i) {
    const std::string name = std::to_string(100 + i);
    const sandbox::StateEntry entry{sandbox::StateEntry::Kind::file, name, 0600, 0, 0, content};
    packed += sandbox::packed_entry_head(entry, content.size()) + content;
  }
  return packed + sandbox::packed_state_end();
}

class Runs final : public MeasuringProcess::Measurement {
 public:
  explicit Runs(std::unique_ptr<sandbox::Launcher> launcher) : launcher_(std::move(launcher)) {
    settings_.default_identity = sandbox::Identity{65'532, 65'532};
    settings_.engines = {sandbox::Engine::native};
    launcher_->attach(context_, [] { std::_Exit(1); });
    facts_ = sandbox::probe_host_first(context_, *launcher_, {settings_.default_identity});
  }

  std::string answer(const std::string& text) override {
    if (text == ask_for_launcher) return std::to_string(launcher_->pid());
    if (text.starts_with(ask_for_script)) return run_script(text.substr(ask_for_script.size()));
    std::istringstream order(text);
    int without = 0;
    RunsToMeasure what;
    order >> what.prepared >> what.allowlist >> what.set_up >> what.state >> what.host_view >>
        without >> what.runs >> what.at_a_time;
    until_start_ = what.set_up;
    what.without = static_cast<Without>(without);
    return measure(what);
  }

 private:
  /// `PORT SCRIPT`; the answer is what it printed, behind the time that nobody asks for.
  std::string run_script(const std::string& order) {
    settings_.host_view = {};
    settings_.host_view.loopback = {static_cast<std::uint16_t>(std::stoi(order))};
    sandbox::Runner runner(context_, *launcher_, facts_, settings_);
    sandbox::RunRequest request;
    request.script = order.substr(order.find(' ') + 1);
    Silence heard;
    asio::co_spawn(context_, run_once(runner, std::move(request), heard), rethrow);
    context_.restart();
    context_.run();
    return "0 | " + heard.text;
  }

  asio::awaitable<void> run_once(sandbox::Runner& runner, sandbox::RunRequest request,
                                 Silence& heard) {
    sandbox::CancelSwitch cancel(context_);
    const sandbox::ResolvedPolicy policy{policy_for({}), false};
    const auto result = co_await runner.run(std::move(request), policy, heard, cancel);
    if (result.exit_code != 0) heard.text.clear();
    context_.stop();
  }

  std::string measure(const RunsToMeasure& what) {
    policy_ = policy_for(what);
    settings_.host_view = {};
    if (what.host_view) show_host(settings_.host_view);
    shows_host_ = what.host_view;
    settings_.host_view.state_bytes = what.state ? state_bytes : 0;
    packed_ = what.state ? packed_files() : std::string();
    settings_.prepared_runs = what.prepared ? static_cast<std::size_t>(what.at_a_time) : 0;
    sandbox::Runner runner(context_, *launcher_, facts_, settings_);
    if (what.prepared || what.allowlist) run_some(runner, what.at_a_time, what.at_a_time);
    answer_.str({});
    roots_ready_ = networks_ready_ = 0;
    scripts_ = 0;
    const double caller = processor_time({::getpid()});
    const double launcher = processor_time({launcher_->pid()});
    const double children = processor_time_of_children(launcher_->pid());
    const PageFaults faults = page_faults(launcher_->pid());
    double seconds = 0;
    const int at_once = what.prepared ? what.at_a_time : what.runs;
    for (int done = 0; done < what.runs; done += at_once) {
      if (what.prepared) wait_until_prepared(runner, what.at_a_time);
      seconds += run_some(runner, at_once, what.at_a_time);
    }
    if (what.prepared && came_cold_ > 0) throw std::runtime_error("a run was not prepared");
    answer_ << seconds;
    // The kernel takes its time until the last init can be waited for.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const double below = processor_time_of_children(launcher_->pid()) - children;
    const PageFaults now = page_faults(launcher_->pid());
    answer_ << " | " << roots_ready_ << ' ' << networks_ready_ << ' '
            << processor_time({::getpid()}) - caller << ' '
            << processor_time({launcher_->pid()}) - launcher << ' ' << below - scripts_ << ' '
            << scripts_ << ' ' << now.own - faults.own << ' '
            << now.of_children - faults.of_children;
    return answer_.str();
  }

  double run_some(sandbox::Runner& runner, int runs, int at_a_time) {
    left_ = runs;
    going_ = at_a_time;
    came_cold_ = 0;
    const auto begun = Clock::now();
    for (int i = 0; i < at_a_time; ++i) asio::co_spawn(context_, keep_running(runner), rethrow);
    context_.restart();
    context_.run();
    return std::chrono::duration<double>(Clock::now() - begun).count();
  }

  void wait_until_prepared(sandbox::Runner& runner, int count) {
    asio::steady_timer look(context_);
    std::function<void()> again = [&] {
      if (static_cast<int>(runner.count_prepared()) >= count) return context_.stop();
      look.expires_after(std::chrono::milliseconds(2));
      look.async_wait([&](const boost::system::error_code&) { again(); });
    };
    again();
    context_.restart();
    if (static_cast<int>(runner.count_prepared()) < count) context_.run();
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
      if (!packed_.empty()) {
        request.state = sandbox::KeptState{*sandbox::make_state_file(packed_), {}, {}};
      }
      const auto start = Clock::now();
      const auto result = co_await runner.run(std::move(request), policy, silence, cancel);
      const auto end = until_start_ ? silence.started_at : Clock::now();
      answer_ << std::chrono::duration<double, std::micro>(end - start).count() << ' ';
      if (!result.was_prepared) ++came_cold_;
      if (result.root_was_ready) ++roots_ready_;
      if (result.network_was_ready) ++networks_ready_;
      scripts_ += static_cast<double>((result.usage.cpu_user + result.usage.cpu_system).count());
      if (result.outcome != sandbox::Outcome::exited || !result.sandbox.downgrades.empty()) {
        throw std::runtime_error("a run failed: " + result.error.value_or("downgraded"));
      }
      if (shows_host_) count_disks(result.sandbox);
      if (result.has_new_state == packed_.empty()) throw std::runtime_error("a state was lost");
    }
    if (--going_ == 0) context_.stop();
  }

  asio::io_context context_{1};
  std::unique_ptr<sandbox::Launcher> launcher_;
  sandbox::RunnerSettings settings_;
  sandbox::HostFacts facts_;
  sandbox::Policy policy_;
  std::ostringstream answer_;
  std::string packed_;  ///< what their check keeps; empty = nothing
  int left_ = 0, going_ = 0, came_cold_ = 0, roots_ready_ = 0, networks_ready_ = 0;
  double scripts_ = 0;
  bool until_start_ = false, shows_host_ = false;
};

template <bool roots, bool networks>
MeasuringProcess::Measurement* begin_runs() {
  sandbox::LauncherSettings settings;
  settings.made_ahead = {roots, networks};
  auto launcher = sandbox::Launcher::start(std::move(settings));
  return launcher ? new Runs(*std::move(launcher)) : nullptr;
}

/// For the child that is forked next, which has no arguments.
std::vector<std::string> disks_of_next;

MeasuringProcess::Measurement* begin_beside_disks() {
  if (::unshare(CLONE_NEWNS) != 0) return nullptr;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return nullptr;
  for (const auto& place : disks_of_next) {
    if (::mount("tmpfs", place.c_str(), "tmpfs", 0, "size=1m") != 0) return nullptr;
  }
  return begin_runs<true, true>();
}

MeasuringProcess::Begin beside(const std::vector<std::string>& disks) {
  disks_of_next = disks;
  return begin_beside_disks;
}

MeasuringProcess::Begin beginning_of(Ahead ahead) {
  switch (ahead) {
    case Ahead::roots:
      return begin_runs<true, false>;
    case Ahead::networks:
      return begin_runs<false, true>;
    case Ahead::nothing:
      return begin_runs<false, false>;
    case Ahead::everything:
      break;
  }
  return begin_runs<true, true>;
}

}  // namespace

SandboxProcess::SandboxProcess(Ahead ahead) : process_(beginning_of(ahead)) {}

SandboxProcess::SandboxProcess(const std::vector<std::string>& disks) : process_(beside(disks)) {}

std::vector<double> SandboxProcess::run_script(const std::string& text, std::uint16_t port) {
  return process_.ask(std::string(ask_for_script) + std::to_string(port) + " " + text).more;
}

RunCosts SandboxProcess::costs_of(const Timing& timing) {
  const auto runs = static_cast<double>(timing.latencies.size());
  const auto& all = timing.more;
  return {all.at(0) / runs, all.at(1) / runs, all.at(2) / runs, all.at(3) / runs,
          all.at(4) / runs, all.at(5) / runs, all.at(6) / runs, all.at(7) / runs};
}

pid_t SandboxProcess::launcher() {
  return static_cast<pid_t>(process_.ask(ask_for_launcher).seconds);
}

Timing SandboxProcess::measure(const RunsToMeasure& what) {
  std::ostringstream order;
  order << what.prepared << ' ' << what.allowlist << ' ' << what.set_up << ' ' << what.state << ' '
        << what.host_view << ' ' << static_cast<int>(what.without) << ' ' << what.runs << ' '
        << what.at_a_time;
  return process_.ask(order.str());
}

}  // namespace satellite::benchmarks
