#include "agent/checks/inline_outcome.hpp"

#include "sandbox/capture/output_text.hpp"

#include <nlohmann/json.hpp>
#include <utility>

namespace satellite::agent {
namespace {

using Json = nlohmann::ordered_json;
using sandbox::Outcome;

std::string stored_text(const Json& text) {
  return sandbox::without_zero_bytes(text.get_ref<const std::string&>());
}

void fail_inline(CollectorOutcome& collector, InlineScriptOutcome& end, std::string text) {
  end.success = false;
  end.message = text;
  collector.error = text.empty() ? "Check failed" : std::move(text);
}

void take_answer(const sandbox::ModuleAnswer& answer, const std::string& standard_output,
                 CollectorOutcome& collector, InlineScriptOutcome& end) {
  if (!answer.ok) return fail_inline(collector, end, sandbox::without_zero_bytes(answer.error));
  end = outcome_of_return(answer.result_json);
  const std::string said = end.message.value_or("");
  if (!end.message && !standard_output.empty()) end.message = standard_output;
  if (!end.success) collector.error = said.empty() ? "Check failed" : said;
}

/// Why a script without an answer has none.
std::string reason_without_answer(const sandbox::RunResult& result,
                                  const std::string& standard_error) {
  switch (result.outcome) {
    case Outcome::timed_out:
      return result.error.value_or("Script execution timed out");
    case Outcome::memory_limit:
      return "Script exceeded the memory limit of its sandbox policy";
    case Outcome::refused:
    case Outcome::setup_failed:
      return result.error.value_or("the sandbox could not be set up");
    case Outcome::cancelled:
    case Outcome::interrupted:
      return "The check did not finish within its deadline and was stopped";
    case Outcome::exited:
    case Outcome::signaled:
    case Outcome::output_limit:
      break;
  }
  if (!standard_error.empty()) return standard_error;
  return result.error.value_or("Script exited without producing a result");
}

}  // namespace

InlineScriptOutcome outcome_of_return(std::string_view result_json) {
  const Json result = Json::parse(result_json, nullptr, false);
  InlineScriptOutcome end;
  end.success = true;
  if (result.is_boolean()) end.success = result.get<bool>();
  if (result.is_number()) end.value = result.get<double>();
  if (result.is_string()) end.message = stored_text(result);
  if (!result.is_object()) return end;
  const auto success = result.find("success");
  if (success != result.end() && success->is_boolean()) end.success = success->get<bool>();
  const auto message = result.find("message");
  if (message != result.end() && message->is_string()) end.message = stored_text(*message);
  const auto value = result.find("value");
  if (value != result.end() && value->is_number()) end.value = value->get<double>();
  return end;
}

std::optional<CollectorOutcome> inline_collector_outcome(const sandbox::RunResult& result,
                                                         const CollectedStreams& streams,
                                                         const RunCircumstances& circumstances) {
  const bool was_stopped =
      result.outcome == Outcome::cancelled || result.outcome == Outcome::interrupted;
  if (was_stopped && !circumstances.deadline_passed) return std::nullopt;
  CollectorOutcome collector;
  InlineScriptOutcome end;
  collector.output_truncated = result.output_truncated || streams.cut;
  const auto bytes_end =
      collector.output_truncated ? sandbox::OutputEnd::cut : sandbox::OutputEnd::complete;
  if (result.answer && !was_stopped) {
    const auto standard_output = sandbox::output_text(streams.standard_output, bytes_end);
    take_answer(*result.answer, standard_output, collector, end);
  } else {
    const auto standard_error = sandbox::output_text(streams.standard_error, bytes_end);
    fail_inline(collector, end, reason_without_answer(result, standard_error));
    end.timed_out = was_stopped || result.outcome == Outcome::timed_out;
  }
  end.took = circumstances.took;
  report_run(result, circumstances, collector, end.success);
  collector.outcome = std::move(end);
  return collector;
}

}  // namespace satellite::agent
