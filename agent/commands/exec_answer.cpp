#include "agent/commands/exec_answer.hpp"

#include "sandbox/report/outcome.hpp"

#include <nlohmann/json.hpp>
#include <sstream>

namespace satellite::agent {

using Json = nlohmann::ordered_json;

std::string exec_answer_json(const sandbox::RunResult& result, const CollectedOutput& output) {
  Json answer{{"outcome", sandbox::name_of(result.outcome)},
              {"exitCode", result.exit_code},
              {"stdout", output.standard_output},
              {"stderr", output.standard_error},
              {"outputTruncated", result.output_truncated},
              {"durationMs", result.duration.count()},
              {"sandbox", sandbox::to_json(result.sandbox)}};
  if (result.signal) answer["signal"] = *result.signal;
  if (result.error) answer["error"] = *result.error;
  if (const auto& said = result.answer) {
    if (said->ok) {
      answer["result"] = Json::parse(said->result_json, nullptr, false);
    } else {
      answer["error"] = said->error;
    }
    if (said->stack) answer["stack"] = *said->stack;
  }
  if (!result.dropped_environment.empty()) answer["droppedEnv"] = result.dropped_environment;
  return answer.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string exec_answer_text(const sandbox::RunResult& result) {
  std::ostringstream text;
  text << "outcome   " << sandbox::name_of(result.outcome);
  if (result.outcome == sandbox::Outcome::exited) text << " with code " << result.exit_code;
  if (result.signal) text << " by signal " << *result.signal;
  text << " after " << result.duration.count() << " ms";
  if (result.output_truncated) {
    text << ", output stopped at "
         << result.bytes_standard_output.value + result.bytes_standard_error.value << " bytes";
  }
  text << '\n';
  if (result.error) text << "error     " << *result.error << '\n';
  if (const auto& said = result.answer) {
    text << (said->ok ? "result    " + said->result_json
                      : "error     " + said->stack.value_or(said->error))
         << '\n';
  }
  text << "sandbox   " << sandbox::summary_line(result.sandbox) << '\n';
  for (const auto& layer : result.sandbox.layers) {
    text << "  " << sandbox::name_of(layer.layer) << ": " << sandbox::name_of(layer.state);
    if (!layer.mechanism.empty()) text << " by " << layer.mechanism;
    if (!layer.evidence.empty()) text << " (" << layer.evidence << ")";
    text << '\n';
  }
  for (const auto& downgrade : result.sandbox.downgrades) {
    text << "  downgrade " << sandbox::name_of(downgrade.layer) << ": " << downgrade.reason << '\n';
  }
  for (const auto& note : result.sandbox.notes) {
    text << "  note " << sandbox::name_of(note.layer) << ": " << note.note << '\n';
  }
  for (const auto& grant : result.sandbox.grants) text << "  shown " << grant << '\n';
  for (const auto& hint : result.sandbox.hints) text << "  hint " << hint << '\n';
  return text.str();
}

int exec_exit_code(const sandbox::RunResult& result) {
  switch (result.outcome) {
    case sandbox::Outcome::exited:
    case sandbox::Outcome::signaled:
      // How the runtime of a module that answered ended says nothing about the script.
      if (result.answer) return result.answer->ok ? 0 : 1;
      return result.exit_code;
    case sandbox::Outcome::timed_out:
      return 124;
    case sandbox::Outcome::refused:
    case sandbox::Outcome::setup_failed:
      return 125;
    default:
      return 1;
  }
}

}  // namespace satellite::agent
