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

/// An error without a text is an error all the same.
std::optional<std::string> named(const std::string& error) {
  return error.empty() ? "Check failed" : error;
}

std::string reason_without_answer(const sandbox::RunResult& result, const EndOfScript& script) {
  if (auto reason = script.reason()) return *std::move(reason);
  std::string standard_error = script.standard_error();
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
  const EndOfScript script(result, streams, circumstances);
  if (script.is_unwanted()) return std::nullopt;
  InlineScriptOutcome end;
  std::optional<std::string> error;
  if (result.answer && result.answer->ok && !script.was_stopped()) {
    end = outcome_of_return(result.answer->result_json);
    if (!end.success) error = named(end.message.value_or(""));
    const auto standard_output = script.standard_output();
    if (!end.message && !standard_output.empty()) end.message = standard_output;
  } else {
    const bool has_thrown = result.answer && !script.was_stopped();
    end.message = has_thrown ? sandbox::without_zero_bytes(result.answer->error)
                             : reason_without_answer(result, script);
    end.timed_out = !has_thrown && (script.was_stopped() || result.outcome == Outcome::timed_out);
    error = named(*end.message);
  }
  return script.reported(std::move(end), std::move(error));
}

}  // namespace satellite::agent
