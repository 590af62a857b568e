// One check from top to bottom: definition, configuration secrets, collectors side by side, result.
#include "agent/checks/script_check.hpp"

#include "agent/checks/check_key.hpp"
#include "agent/checks/check_result.hpp"
#include "agent/checks/config/check_definition.hpp"
#include "agent/checks/config/collector_config.hpp"
#include "agent/checks/config/config_secrets.hpp"
#include "agent/checks/inline_collector.hpp"
#include "agent/checks/shell_collector.hpp"
#include "agent/runtime/task_group.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <map>
#include <utility>
#include <vector>

namespace satellite::agent {

namespace asio = boost::asio;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view script_strategy = "healthcheck-script.script";
constexpr std::string_view shell_collector = "healthcheck-script.execute";
constexpr std::string_view inline_collector = "healthcheck-script.inline-script";

SecretScan scan_for(const CollectorEntry& collector) {
  const bool is_script =
      collector.collector_id == shell_collector || collector.collector_id == inline_collector;
  return is_script ? SecretScan::all_but_script_text : SecretScan::everywhere;
}

/// The secrets of one collector, or how it ends without them; neither for one that was stopped.
struct SecretsFor {
  std::optional<std::map<std::string, Secret>> values;
  std::optional<CollectorOutcome> end;
};

class Check {
 public:
  Check(CheckServices services, CheckInput input)
      : services_(services),
        assignment_(std::move(input.assignment)),
        environment_id_(std::move(input.environment_id)),
        control_(input.control),
        key_(check_key(*assignment_, environment_id_)),
        definition_(define_check(*assignment_, environment_id_)),
        strategy_config_(std::string(assignment_->config_json)) {}

  ~Check() {
    // Some of them may hold secrets now.
    for (CollectorEntry& collector : definition_.collectors) wipe(collector.config_json);
  }
  Check(const Check&) = delete;
  Check& operator=(const Check&) = delete;

  asio::awaitable<CheckOutcome> execute();

 private:
  asio::awaitable<Result<void>> resolve_config_secrets();
  void forget_gone_collectors() const;
  asio::awaitable<void> collect(std::size_t index);
  asio::awaitable<std::optional<CollectorOutcome>> collect_shell(const CollectorEntry& collector);
  asio::awaitable<std::optional<CollectorOutcome>> collect_inline(const CollectorEntry& collector);
  asio::awaitable<SecretsFor> fetch_secrets(const CollectorEntry& collector);
  std::optional<std::string> unresolved() const;
  ResultIdentity identity() const;
  CheckOutcome not_run(const std::string& text) const;
  CheckOutcome ended_without(const Error& error) const;

  CheckServices services_;
  std::shared_ptr<const protocol::Assignment> assignment_;
  std::optional<std::string> environment_id_;
  CheckControl& control_;
  std::string key_;
  CheckDefinition definition_;
  Secret strategy_config_;
  std::vector<Secret> configured_values_;
  std::vector<std::optional<CollectorOutcome>> outcomes_;
  bool skipped_ = false;
};

CollectorOutcome thrown_end(std::string text) {
  CollectorOutcome end;
  end.outcome = ThrownOutcome{std::move(text)};
  return end;
}

ResultIdentity Check::identity() const {
  return {assignment_->config_id, assignment_->system_id, environment_id_,
          std::chrono::system_clock::now()};
}

CheckOutcome Check::not_run(const std::string& text) const {
  return {CheckOutcome::Kind::reported, result_without_run(identity(), text), text};
}

/// Secrets did not come. Without a core nothing was measured, so nothing is claimed.
CheckOutcome Check::ended_without(const Error& error) const {
  if (error.code == ErrorCode::unavailable) {
    return {CheckOutcome::Kind::skipped, std::nullopt, error.message};
  }
  if (error.code == ErrorCode::cancelled && !control_.deadline_passed) {
    return {CheckOutcome::Kind::stopped, std::nullopt, error.message};
  }
  return not_run("Error: " + error.message);
}

/// What is still a marker or a reference where a value should be.
std::optional<std::string> Check::unresolved() const {
  const std::string start = "Health check " + assignment_->config_id.text;
  constexpr const char* end = ": a config secret stayed unresolved";
  if (has_unresolved_secrets(strategy_config_.reveal(), SecretScan::everywhere)) {
    return start + " strategy" + end;
  }
  for (const CollectorEntry& collector : definition_.collectors) {
    if (has_unresolved_secrets(collector.config_json, scan_for(collector))) {
      return start + " collector " + collector.id + end;
    }
  }
  return std::nullopt;
}

asio::awaitable<Result<void>> Check::resolve_config_secrets() {
  if (!unresolved()) co_return Result<void>();
  auto values = co_await services_.secrets.config_secrets(assignment_->config_id, control_.cancel);
  if (!values) co_return values.error();
  strategy_config_ = apply_config_secrets(strategy_config_.reveal(), values->strategy).json;
  for (CollectorEntry& collector : definition_.collectors) {
    const auto found = values->collectors.find(collector.id);
    if (found == values->collectors.end()) continue;
    auto resolved = apply_config_secrets(collector.config_json, found->second);
    wipe(collector.config_json);
    collector.config_json = resolved.json.reveal();
    for (Secret& value : resolved.values) configured_values_.push_back(std::move(value));
  }
  // Always looked at again: a script must never start with a marker in its configuration.
  if (const auto left = unresolved()) co_return Error{ErrorCode::not_found, *left};
  co_return Result<void>();
}

asio::awaitable<SecretsFor> Check::fetch_secrets(const CollectorEntry& collector) {
  SecretFetch::RunSecretsFor wanted{assignment_->config_id, collector.id};
  auto fetched = co_await services_.secrets.run_secrets(std::move(wanted), control_.cancel);
  SecretsFor secrets;
  if (fetched) {
    secrets.values = *std::move(fetched);
    co_return secrets;
  }
  if (fetched.error().code == ErrorCode::unavailable) skipped_ = true;
  const bool was_stopped =
      fetched.error().code == ErrorCode::cancelled && !control_.deadline_passed;
  if (!was_stopped) secrets.end = thrown_end("Error: " + fetched.error().message);
  co_return secrets;
}

asio::awaitable<std::optional<CollectorOutcome>> Check::collect_shell(
    const CollectorEntry& collector) {
  auto validation = validate_execute_config(collector.config_json);
  if (!validation.issues.empty()) {
    co_return thrown_end("Error: Invalid configuration: " + issue_text(validation.issues));
  }
  std::map<std::string, Secret> secrets;
  if (validation.config.wants_secrets) {
    auto fetched = co_await fetch_secrets(collector);
    if (!fetched.values) co_return std::move(fetched.end);
    secrets = *std::move(fetched.values);
  }
  ShellCollectorInput input{std::move(validation.config), definition_, std::move(secrets),
                            configured_values_,           control_,    {key_, collector.id}};
  auto end = co_await run_shell_collector(services_, std::move(input));
  co_return end;
}

asio::awaitable<std::optional<CollectorOutcome>> Check::collect_inline(
    const CollectorEntry& collector) {
  auto validation = validate_inline_script_config(collector.config_json);
  if (!validation.issues.empty()) {
    co_return thrown_end("Error: Invalid configuration: " + issue_text(validation.issues));
  }
  CollectorSecrets secrets;
  if (validation.config.wants_secrets) {
    auto fetched = co_await fetch_secrets(collector);
    if (!fetched.values) co_return std::move(fetched.end);
    secrets.values = *std::move(fetched.values);
    secrets.references = std::move(validation.config.secret_references);
  }
  InlineCollectorInput input{std::move(validation.config), collector,          definition_,
                             std::move(secrets),           configured_values_, control_,
                             {key_, collector.id}};
  auto end = co_await run_inline_collector(services_, std::move(input));
  co_return end;
}

/// What collectors kept that the check no longer has.
void Check::forget_gone_collectors() const {
  std::vector<std::string> ids;
  for (const CollectorEntry& collector : definition_.collectors) ids.push_back(collector.id);
  services_.states.collect_others(key_, ids);
}

asio::awaitable<void> Check::collect(std::size_t index) {
  const CollectorEntry& collector = definition_.collectors[index];
  std::optional<CollectorOutcome> end;
  if (collector.collector_id == shell_collector) {
    end = co_await collect_shell(collector);
  } else if (collector.collector_id == inline_collector) {
    end = co_await collect_inline(collector);
  } else {
    end = thrown_end("Error: Collector " + collector.collector_id + " not found in satellite");
  }
  if (end) {
    end->entry_id = collector.id;
    end->collector_id = collector.collector_id;
  }
  outcomes_[index] = std::move(end);
}

asio::awaitable<CheckOutcome> Check::execute() {
  if (assignment_->strategy_id != script_strategy) {
    co_return not_run("Strategy " + assignment_->strategy_id + " not found in satellite");
  }
  if (!services_.config.allow_health_checks) {
    co_return not_run(
        "the operator of this host does not let health checks run (operator.health_checks)");
  }
  const auto resolved = co_await resolve_config_secrets();
  if (!resolved) co_return ended_without(resolved.error());

  forget_gone_collectors();
  const auto begin = Clock::now();
  outcomes_.resize(definition_.collectors.size());
  std::exception_ptr broken;
  TaskGroup collectors(services_.context,
                       [&broken](std::exception_ptr failure) { broken = failure; });
  for (std::size_t i = 0; i < outcomes_.size(); ++i) {
    const auto started = collectors.start(collect(i));
    if (!started) co_return CheckOutcome{};
  }
  co_await collectors.drained();
  if (broken) std::rethrow_exception(broken);
  if (skipped_) {
    co_return CheckOutcome{CheckOutcome::Kind::skipped, std::nullopt,
                           "no core to give its secrets"};
  }
  RunTimes times;
  times.latency = std::chrono::round<std::chrono::milliseconds>(Clock::now() - begin);
  std::vector<CollectorOutcome> outcomes;
  for (auto& end : outcomes_) {
    if (!end)
      co_return CheckOutcome{CheckOutcome::Kind::stopped, std::nullopt, "the run was stopped"};
    outcomes.push_back(*std::move(end));
  }
  const bool never_ran =
      std::any_of(outcomes.begin(), outcomes.end(), [](const auto& end) { return end.never_ran; });
  std::string message;
  for (auto end = outcomes.begin(); end != outcomes.end() && message.empty(); ++end) {
    message = failure_of(*end).value_or("");
  }
  co_return CheckOutcome{
      CheckOutcome::Kind::reported,
      result_of_run(identity(), times, std::move(outcomes), limits::frame_size_max), message,
      never_ran};
}

}  // namespace

asio::awaitable<CheckOutcome> execute_check(CheckServices services, CheckInput input) {
  Check check(services, std::move(input));
  auto end = co_await check.execute();
  co_return end;
}

}  // namespace satellite::agent
