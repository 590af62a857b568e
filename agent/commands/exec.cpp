#include "agent/commands/commands.hpp"
#include "agent/commands/exec_answer.hpp"
#include "agent/commands/input.hpp"
#include "agent/config/sandbox_settings.hpp"
#include "agent/packages/packages_here.hpp"
#include "protocol/vocabulary/bounded_json.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/policy/policy_json.hpp"
#include "sandbox/probing/probe.hpp"
#include "sandbox/running/runner.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <exception>
#include <iostream>

namespace satellite::agent {

namespace asio = boost::asio;

namespace {

/// Prints as the script writes, or keeps everything for the one JSON object.
class PrintingObserver final : public sandbox::RunObserver {
 public:
  explicit PrintingObserver(const Invocation& invocation) : prints_(!invocation.json) {}

  void started(const sandbox::EffectiveSandbox&, std::chrono::system_clock::time_point) override {}

  asio::awaitable<void> output(sandbox::OutputStream stream, std::string_view bytes) override {
    const bool is_output = stream == sandbox::OutputStream::standard_output;
    if (prints_) {
      (is_output ? std::cout : std::cerr).write(bytes.data(), std::ssize(bytes)).flush();
    } else {
      (is_output ? collected_.standard_output : collected_.standard_error).append(bytes);
    }
    co_return;
  }

  const CollectedOutput& collected() const { return collected_; }

 private:
  bool prints_;
  CollectedOutput collected_;
};

Result<sandbox::ResolvedPolicy> chosen_policy(const Invocation& invocation) {
  if (!invocation.policy_file) {
    return sandbox::ResolvedPolicy{sandbox::shipped_default_policy(), false};
  }
  auto text = read_input(*invocation.policy_file, limits::policy_file_size_max);
  if (!text) return text.error();
  auto policy = sandbox::parse_policy(*text);
  if (!policy) {
    return Error{policy.error().code, *invocation.policy_file + ": " + policy.error().message};
  }
  return sandbox::ResolvedPolicy{*std::move(policy), false};
}

bool is_module(const Invocation& invocation) {
  if (!invocation.language.empty()) return invocation.language == "module";
  const std::string& file = invocation.script_file;
  return file.ends_with(".mjs") || file.ends_with(".mts") || file.ends_with(".js") ||
         file.ends_with(".ts");
}

Result<std::string> chosen_context(const Invocation& invocation) {
  if (!invocation.context_file) return std::string();
  auto text = read_input(*invocation.context_file, limits::context_size_max);
  if (!text) return text.error();
  const auto is_json = check_bounded_json(*text, limits::frame_after_authentication);
  if (!is_json) {
    return Error{is_json.error().code, *invocation.context_file + ": " + is_json.error().message};
  }
  return text;
}

Result<sandbox::RunRequest> request_of(const Invocation& invocation, const Config& config) {
  auto script = read_input(invocation.script_file, limits::script_size_max);
  if (!script) return script.error();
  auto context = chosen_context(invocation);
  if (!context) return context.error();
  sandbox::RunRequest request;
  request.id = RunId("exec");
  request.script = *std::move(script);
  request.timeout = config.script_timeout_max;
  if (is_module(invocation)) request.language = sandbox::Language::module;
  request.module.context_json = Secret(*std::move(context));
  const auto packages = is_module(invocation) ? packages_here(config) : std::nullopt;
  if (packages) request.module.packages = sandbox::PackageTree{packages->node_modules, nullptr};
  return request;
}

}  // namespace

int exec_command(const Invocation& invocation) {
  auto config = local_settings(invocation);
  auto policy = chosen_policy(invocation);
  if (!config || !policy) {
    print_error((config ? policy.error() : config.error()).message);
    return exit_wrong_usage;
  }
  auto request = request_of(invocation, *config);
  if (!request) {
    print_error(request.error().message);
    return exit_wrong_usage;
  }
  asio::io_context context(1);
  auto launcher = sandbox::Launcher::start(launcher_settings(*config));
  if (!launcher) return no_launcher(launcher.error());
  sandbox::RunnerSettings settings = runner_settings(*config);
  settings.prepared_runs = settings.prepared_modules = 0;  // there is no next one
  sandbox::ProbeSettings probing = probe_settings(*config);
  probing.tries_egress = false;  // the run itself asks, if its policy needs to know
  (*launcher)->attach(context, [] {});
  sandbox::HostFacts facts = sandbox::probe_host_first(context, **launcher, probing);
  sandbox::Runner runner(context, **launcher, std::move(facts), settings);
  PrintingObserver observer(invocation);
  sandbox::CancelSwitch cancel(context);
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&cancel](boost::system::error_code, int) { cancel.cancel(); });

  std::optional<sandbox::RunResult> result;
  std::exception_ptr failure;
  asio::co_spawn(context,
                 runner.run(*std::move(request), policy_for_run(*std::move(policy), *config),
                            observer, cancel),
                 [&](std::exception_ptr thrown, sandbox::RunResult ended) {
                   failure = thrown;
                   result = std::move(ended);
                   context.stop();
                 });
  context.run();
  if (failure) std::rethrow_exception(failure);
  if (invocation.json) {
    std::cout << exec_answer_json(*result, observer.collected()) << '\n';
  } else {
    std::cerr << exec_answer_text(*result);
  }
  return exec_exit_code(*result);
}

}  // namespace satellite::agent
