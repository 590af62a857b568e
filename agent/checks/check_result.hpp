#pragma once

#include "protocol/agent_messages.hpp"
#include "protocol/vocabulary/byte_count.hpp"
#include "sandbox/report/outcome.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace satellite::agent {

/// What a shell collector reports.
struct ExecuteOutcome {
  int exit_code = -1;
  std::string standard_output, standard_error;
  std::chrono::milliseconds took{0};
  bool success = false;
  bool timed_out = false;
};

/// What an inline collector reports.
struct InlineScriptOutcome {
  bool success = false;
  std::optional<std::string> message;
  std::optional<double> value;
  std::chrono::milliseconds took{0};
  bool timed_out = false;
};

/// A collector that never came to run, with the text of the error as its class writes it.
struct ThrownOutcome {
  std::string text;  ///< `Error: Secret not found: pay_token`
};

/// How one collector of a check ended.
struct CollectorOutcome {
  std::string entry_id, collector_id;
  std::variant<ExecuteOutcome, InlineScriptOutcome, ThrownOutcome> outcome;
  std::optional<std::string> error;  ///< a collector error: the whole check is unhealthy
  // Ours: they survive in the core's record of this collector.
  std::optional<sandbox::EffectiveSandbox> sandbox;
  bool output_truncated = false;
  std::vector<std::string> dropped_environment;
  bool never_ran = false;  ///< its script was refused, or could not be set up
};

/// Why this collector makes its check unhealthy; nothing if it does not.
std::optional<std::string> failure_of(const CollectorOutcome& collector);

/// Whose result it is, and when it was put together: the core takes that for the time of the run.
struct ResultIdentity {
  ConfigId config_id;
  SystemId system_id;
  std::optional<std::string> environment_id;
  std::chrono::system_clock::time_point executed_at{};
};

struct RunTimes {
  std::chrono::milliseconds latency{0}, connection{0};
};

/// Results of checks, in the exact shapes the core reads.
///
/// Shape:  pure. A and B: `latency` is 0; C: it is real. D, E and F: one entry per collector.
/// Source: core-contract 2.3.
protocol::CheckResult result_without_run(ResultIdentity identity, std::string error,
                                         std::chrono::milliseconds latency = {});
/// Above `frame_size_max` the core would close the connection and the result be lost, so that the
/// longest outputs are cut and say so.
protocol::CheckResult result_of_run(ResultIdentity identity, RunTimes times,
                                    std::vector<CollectorOutcome> collectors,
                                    ByteCount frame_size_max);

}  // namespace satellite::agent
