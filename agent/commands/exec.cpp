#include "agent/commands/commands.hpp"
#include "agent/commands/exec_answer.hpp"
#include "agent/commands/exec_compare.hpp"
#include "agent/commands/exec_request.hpp"
#include "agent/commands/exec_run.hpp"
#include "agent/commands/input.hpp"
#include "agent/config/sandbox_settings.hpp"
#include "sandbox/running/runner.hpp"

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
  if (invocation.compares) {
    return exec_compare(invocation, *config, *std::move(policy), *std::move(request));
  }
  auto bench = ExecRunner::make(*config);
  if (!bench) return no_launcher(bench.error());
  PrintingObserver observer(invocation);
  const auto result = (*bench)->run(runner_settings(*config), *std::move(request),
                                    policy_for_run(*std::move(policy), *config), observer);
  if (invocation.json) {
    std::cout << exec_answer_json(result, observer.collected()) << '\n';
  } else {
    std::cerr << exec_answer_text(result);
  }
  return exec_exit_code(result);
}

}  // namespace satellite::agent
