#pragma once

#include "agent/checks/check_result.hpp"
#include "sandbox/report/outcome.hpp"

#include <optional>
#include <string>
#include <utility>

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

/// What both kinds of collectors report alike: whether anything is reported, how the output is
/// read, why there is no result, and the circumstances. Pure; the arguments must outlive it.
class EndOfScript {
 public:
  EndOfScript(const sandbox::RunResult& result, const CollectedStreams& streams,
              const RunCircumstances& circumstances)
      : result_(result), streams_(streams), circumstances_(circumstances) {}

  /// It was stopped, and not because it ran too long by itself.
  bool was_stopped() const;
  /// Nobody wants its result any more.
  bool is_unwanted() const { return was_stopped() && !circumstances_.deadline_passed; }
  bool is_truncated() const { return result_.output_truncated || streams_.cut; }
  std::string standard_output() const { return text_of(streams_.standard_output); }
  std::string standard_error() const { return text_of(streams_.standard_error); }
  /// What kept the script from its end; nothing where it ended by itself or at its output's bound.
  std::optional<std::string> reason() const;
  /// Adds everything else to what the kind of collector made of it.
  template <typename End>
  CollectorOutcome reported(End end, std::optional<std::string> error) const {
    end.took = circumstances_.took;
    CollectorOutcome collector = with_circumstances(std::move(error));
    if (collector.error && circumstances_.failed_closed) end.success = false;
    collector.outcome = std::move(end);
    return collector;
  }

 private:
  std::string text_of(const std::string& bytes) const;
  CollectorOutcome with_circumstances(std::optional<std::string> error) const;

  const sandbox::RunResult& result_;
  const CollectedStreams& streams_;
  const RunCircumstances& circumstances_;
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

}  // namespace satellite::agent
