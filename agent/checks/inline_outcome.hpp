#pragma once

#include "agent/checks/check_result.hpp"
#include "agent/checks/collector_outcome.hpp"
#include "sandbox/report/outcome.hpp"

#include <optional>
#include <string_view>

namespace satellite::agent {

/// What a check's script returned -> success, message and value. Pure.
/// Source: core-contract 3.6, the table of what is returned.
InlineScriptOutcome outcome_of_return(std::string_view result_json);

/// How an inline script ended -> what its collector reports. Pure.
///
/// Shape:  an answer counts whatever became of the process afterwards. Without one the error is
///         what stands in standard error, or that there is no result. An error without a text is
///         `Check failed`: the existing satellite takes an empty one for none and the check for
///         healthy. Nothing for a run that was stopped because nobody wants its result any more.
/// Source: core-contract 3.6.
std::optional<CollectorOutcome> inline_collector_outcome(const sandbox::RunResult& result,
                                                         const CollectedStreams& streams,
                                                         const RunCircumstances& circumstances);

}  // namespace satellite::agent
