#include "tests/support/script_bench.hpp"

#include "tests/support/require_layer.hpp"

#include <poll.h>
#include <unistd.h>
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <stdexcept>

namespace satellite::tests {

namespace asio = boost::asio;

bool is_root() {
  return ::geteuid() == 0;
}

sandbox::IdentityRange identities_of_this_process(std::uint32_t count) {
  return {1'900'000'000 + static_cast<std::uint32_t>(::getpid()) * 64, count};
}

void Listener::started(const sandbox::EffectiveSandbox& enforced,
                       std::chrono::system_clock::time_point) {
  report = enforced;
  if (on_started) on_started();
}

asio::awaitable<void> Listener::output(sandbox::OutputStream stream, std::string_view bytes) {
  const bool regular = stream == sandbox::OutputStream::standard_output;
  (regular ? standard_output : standard_error) += bytes;
  if (on_output) on_output(standard_output);
  if (before_taking) {
    auto waiting = before_taking();
    co_await std::move(waiting);
  }
}

namespace {

/// All on which the answer to a probing without ways out depends: who asks, from where, with what
/// programs.
std::string circumstances(sandbox::Engine engine, const sandbox::LauncherSettings& settings) {
  std::ostringstream text;
  text << name_of(engine) << ' ' << ::geteuid() << ' ' << ::getegid() << ' '
       << settings.scratch_parent << ' ' << settings.landlock_abi_max << ' '
       << static_cast<int>(settings.root_scripts);
  if (settings.identity_range)
    text << ' ' << settings.identity_range->first << "," << settings.identity_range->count;
  if (const char* const path = std::getenv("PATH")) text << ' ' << path;
  for (const char* name : {"cgroup", "ipc", "mnt", "net", "pid", "user"}) {
    std::error_code unreadable;
    const std::string path = std::string("/proc/self/ns/") + name;
    text << ' ' << std::filesystem::read_symlink(path, unreadable).string();
  }
  return text.str();
}

}  // namespace

ScriptBench::ScriptBench(sandbox::Engine engine, Egress egress,
                         std::optional<sandbox::MacvlanSettings> macvlan,
                         std::optional<sandbox::IdentityRange> identities,
                         sandbox::RootScripts root_scripts, const std::string& scratch_parent,
                         std::optional<std::uint32_t> landlock_abi_max)
    : egress_(egress), macvlan_(macvlan) {
  sandbox::LauncherSettings started_with{scratch_parent, macvlan, identities, root_scripts};
  if (landlock_abi_max) started_with.landlock_abi_max = *landlock_abi_max;
  // A test that makes several of these tries the host once: it takes longer than most runs.
  static std::map<std::string, sandbox::HostFacts> known;
  const std::string key = circumstances(engine, started_with);
  auto started = sandbox::Launcher::start(std::move(started_with));
  if (!started) throw std::runtime_error(started.error().message);
  launcher = *std::move(started);
  if (is_root()) settings.default_identity = script_identity;
  settings.engines.clear();
  if (engine != sandbox::Engine::none) settings.engines.push_back(engine);
  settings.grace = std::chrono::milliseconds(200);
  launcher->attach(context, [this] { launcher_gone = true; });
  const bool is_kept = egress == Egress::untried && !macvlan;
  if (const auto found = known.find(key); is_kept && found != known.end()) {
    facts = found->second;
  } else {
    try_engines(settings.engines);
    // Where control groups work, the trial is also what makes a launcher take its own.
    if (is_kept && !facts.cgroup_memory) known.emplace(key, facts);
  }
  cancel = std::make_unique<sandbox::CancelSwitch>(context);
}

void ScriptBench::try_engines(std::vector<sandbox::Engine> engines) {
  facts = sandbox::probe_host_first(
      context, *launcher,
      {settings.default_identity, {macvlan_, {}}, egress_ == Egress::tried, std::move(engines)});
}

ScriptBench::~ScriptBench() = default;

Ran ScriptBench::run(sandbox::RunRequest request, const sandbox::Policy& policy) {
  Listener listener;
  return run(std::move(request), policy, listener);
}

Ran ScriptBench::run(sandbox::RunRequest request, const sandbox::Policy& policy,
                     Listener& listener) {
  std::optional<sandbox::Runner> own;
  sandbox::Runner& runner = lasting_ ? *lasting_ : own.emplace(context, *launcher, facts, settings);
  std::optional<sandbox::RunResult> result;
  std::exception_ptr failure;
  asio::co_spawn(context, runner.run(std::move(request), {policy, false}, listener, *cancel),
                 [&](std::exception_ptr thrown, sandbox::RunResult ended) {
                   failure = thrown;
                   result = std::move(ended);
                   context.stop();
                 });
  context.restart();
  context.run();
  if (failure) std::rethrow_exception(failure);
  return {*std::move(result), listener.standard_output, listener.standard_error, listener.report};
}

void ScriptBench::begin(sandbox::RunRequest request, const sandbox::Policy& policy,
                        Listener& listener, sandbox::CancelSwitch& its_cancel,
                        std::function<void(Ran)> ended) {
  auto runner = std::make_shared<sandbox::Runner>(context, *launcher, facts, settings);
  asio::co_spawn(context, runner->run(std::move(request), {policy, false}, listener, its_cancel),
                 [runner, &listener, ended = std::move(ended)](const std::exception_ptr& thrown,
                                                               sandbox::RunResult result) {
                   if (thrown) std::rethrow_exception(thrown);
                   ended({std::move(result), listener.standard_output, listener.standard_error,
                          listener.report});
                 });
}

std::vector<Ran> ScriptBench::run_together(std::vector<sandbox::RunRequest> requests,
                                           const sandbox::Policy& policy) {
  std::optional<sandbox::Runner> own;
  sandbox::Runner& runner = lasting_ ? *lasting_ : own.emplace(context, *launcher, facts, settings);
  std::vector<Listener> listeners(requests.size());
  std::vector<Ran> all(requests.size());
  std::size_t left = requests.size();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    asio::co_spawn(context,
                   runner.run(std::move(requests[i]), {policy, false}, listeners[i], *cancel),
                   [&, i](const std::exception_ptr& thrown, sandbox::RunResult ended) {
                     if (thrown) std::rethrow_exception(thrown);
                     all[i] = {std::move(ended), listeners[i].standard_output,
                               listeners[i].standard_error, listeners[i].report};
                     if (--left == 0) context.stop();
                   });
  }
  context.restart();
  context.run();
  return all;
}

void ScriptBench::keep_runner() {
  lasting_ = std::make_unique<sandbox::Runner>(context, *launcher, facts, settings);
  lasting_->on_dropped([this](auto what, auto why) {
    dropped_ += std::string(what) + ": " + std::string(why) + "\n";
  });
}

void ScriptBench::keep_prepared(std::size_t count) {
  settings.prepared_runs = count;
  keep_runner();
}

bool ScriptBench::run_together_until_prepared(
    std::size_t count, const std::function<std::vector<sandbox::RunRequest>()>& requests,
    const sandbox::Policy& policy) {
  constexpr int attempts = 80;  // a busy machine prepares nothing for long
  for (int i = 0; i < attempts; ++i) {
    run_together(requests(), policy);
    if (wait_until_prepared(count, std::chrono::seconds(3))) return true;
  }
  return false;
}

std::vector<Ran> ScriptBench::run_together_prepared(
    const std::function<std::vector<sandbox::RunRequest>()>& requests,
    const sandbox::Policy& policy) {
  constexpr int attempts = 20;
  std::vector<Ran> all;
  for (int i = 0; i < attempts; ++i) {
    if (!run_together_until_prepared(requests().size(), requests, policy)) break;
    all = run_together(requests(), policy);
    const bool are_prepared =
        std::all_of(all.begin(), all.end(), [](const Ran& ran) { return ran.result.was_prepared; });
    if (are_prepared) break;
  }
  return all;
}

bool ScriptBench::wait_until(const std::function<bool()>& condition,
                             std::chrono::seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  context.restart();
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    context.run_one_for(std::chrono::milliseconds(100));
    if (context.stopped()) context.restart();
  }
  return true;
}

bool ScriptBench::wait_until_prepared(std::size_t count, std::chrono::seconds patience) {
  return wait_until([&] { return lasting_->count_prepared() >= count; }, patience);
}

void ScriptBench::keep_standing(std::size_t count) {
  // On a busy host a runtime takes longer to settle, and the launcher to look at it.
  keep_standing({count, std::chrono::milliseconds(400), std::chrono::seconds(20)});
}

void ScriptBench::keep_standing(const sandbox::StandingSettings& wanted) {
  std::signal(SIGPIPE, SIG_IGN);  // as in the satellite: a runtime may die before its task came
  settings.standing_modules = wanted;
  keep_runner();
}

bool ScriptBench::wait_until_standing(std::size_t count, std::chrono::seconds patience) {
  return wait_until([&] { return lasting_->count_standing() >= count; }, patience);
}

bool ScriptBench::wait_until_dropped(std::chrono::seconds patience) {
  return wait_until([&] { return !dropped_.empty(); }, patience);
}

std::vector<sandbox::Engine> with_nsjail(std::vector<sandbox::Engine> others) {
  static const std::string problem = [] {
    const ScriptBench bench(sandbox::Engine::nsjail);
    if (bench.facts.wrapper == sandbox::Wrapper::nsjail) return std::string();
    for (const auto& finding : bench.facts.findings) {
      if (finding.name == "wrapper") return finding.detail;
    }
    return std::string("it does not work");
  }();
  if (require_part("nsjail", problem.empty(), problem)) others.push_back(sandbox::Engine::nsjail);
  return others;
}

sandbox::Engine each_engine() {
  return GENERATE(from_range(
      with_nsjail({sandbox::Engine::none, sandbox::Engine::bwrap, sandbox::Engine::native})));
}

sandbox::Engine each_confining_engine() {
  return GENERATE(from_range(with_nsjail({sandbox::Engine::bwrap, sandbox::Engine::native})));
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

sandbox::RunRequest script(std::string text) {
  sandbox::RunRequest request;
  request.id = RunId("test");
  request.script = std::move(text);
  request.timeout = std::chrono::seconds(60);
  return request;
}

sandbox::Policy policy_for(sandbox::Engine engine) {
  sandbox::Policy policy = sandbox::shipped_default_policy();
  if (engine != sandbox::Engine::none) return policy;
  policy.on_unavailable = sandbox::OnUnavailable::degrade;
  policy.filesystem.mode = sandbox::FilesystemMode::off;
  policy.network.mode = sandbox::NetworkMode::unrestricted;
  policy.network.deny_link_local_and_metadata = false;
  return policy;
}

std::string unique_marker() {
  std::random_device random;
  // Doubles as a number of seconds for sleep(1), hence digits.
  return "86" + std::to_string(100'000'000 + random() % 900'000'000);
}

std::string read_proc(pid_t pid, const std::string& file) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/" + file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<pid_t> processes_with(const std::string& marker) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    pid_t pid = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (parsed.ec != std::errc{} || parsed.ptr != name.data() + name.size()) continue;
    if (pid == ::getpid()) continue;
    if (read_proc(pid, "cmdline").find(marker) != std::string::npos) found.push_back(pid);
  }
  return found;
}

int count_processes(const std::string& marker) {
  return static_cast<int>(processes_with(marker).size());
}

void ScriptBench::put_in_scratch(const std::string& name) const {
  for (const auto& run : std::filesystem::directory_iterator(launcher->scratch_area())) {
    std::ofstream(run.path() / "scratch" / name);
  }
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::poll(nullptr, 0, 2);
  }
  return true;
}

}  // namespace satellite::tests
