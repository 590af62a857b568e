#pragma once

#include "agent/checks/check_result.hpp"
#include "sandbox/report/outcome.hpp"

#include <optional>
#include <string>

namespace satellite::agent {

/// The streams of one run as their bytes came: masked, within the cap.
struct CollectedStreams {
  std::string standard_output, standard_error;
  bool cut = false;  ///< by our own bound, not the policy's
};

/// The circumstances of a run that its report mentions.
struct RunCircumstances {
  std::chrono::milliseconds took{0};  ///< of the collector, not only of the script
  bool failed_closed = false;         ///< no valid policy was in force
  bool deadline_passed = false;       ///< the whole check ran out of time and was stopped
};

/// How a shell script ended -> what its collector reports. Pure.
///
/// Shape:  a non-zero exit is no error, assertions judge it; a timeout, a refusal, a run under no
///         policy or past the memory limit is one. Nothing for a run that was stopped because
///         nobody wants its result any more.
/// Source: core-contract 3.4, 3.5, 9-C1.
std::optional<CollectorOutcome> shell_collector_outcome(const sandbox::RunResult& result,
                                                        const CollectedStreams& streams,
                                                        const RunCircumstances& circumstances);

/// What every kind of collector says of its run alike. `success` becomes false under the
/// fail-closed profile: what ran without its network and its limits has not been checked, whatever
/// it says.
void report_run(const sandbox::RunResult& result, const RunCircumstances& circumstances,
                CollectorOutcome& collector, bool& success);

}  // namespace satellite::agent
