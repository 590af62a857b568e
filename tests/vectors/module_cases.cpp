#include "agent/checks/check_result.hpp"
#include "sandbox/module/user_script.hpp"
#include "sandbox/planning/environment.hpp"
#include "vectors/conformance_case.hpp"
#include "vectors/module_bench.hpp"

#include <algorithm>
#include <cstdlib>
#include <regex>
#include <set>
#include <sstream>

namespace satellite::vectors {
namespace {

using namespace std::string_literals;

// In place of a text that only quotes the engine, which each version words in its own way.
const json engines_words = "<words of the engine>";

json normalise_answer(const json& test_case, const json&) {
  const std::string script = test_case.at("in");
  const std::string text = sandbox::module_from(script);
  return {{"unchanged", text == script}, {"text", text}};
}

json rewrite_answer(const json& test_case, const json&) {
  const auto& in = test_case.at("in");
  return sandbox::with_import_from(in.at("userScript").get<std::string>(),
                                   in.at("helperModuleName").get<std::string>(),
                                   in.at("helperUrl").get<std::string>());
}

std::string name_of_case(const json& test_case) {
  return test_case.at("name");
}
std::string script_of(const json& test_case) {
  return test_case.at("script");
}

/// Whether the recorded error is worded by the runner or the script, and not by the engine.
bool is_worded_by_us(const json& test_case, const std::string& error) {
  static const std::set<std::string> fixed{"", "Check failed", "Script execution timed out",
                                           "Script exited without producing a result"};
  return fixed.contains(error) || error.find("****") != error.npos ||
         script_of(test_case).find(error) != std::string::npos;
}

std::string text_in(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// Success, message, value, error and status; what varies from run to run is left out.
json comparable(const json& test_case, const json& result, bool healthy) {
  json answer{{"success", result.at("success")},
              {"timedOut", result.at("timedOut")},
              {"status", healthy ? "healthy" : "unhealthy"}};
  for (const char* name : {"message", "value", "_collectorError"}) {
    if (result.contains(name)) answer[name] = result.at(name);
  }
  const json recorded = test_case.at("result").value("_collectorError", json());
  // An error where none is recorded is a difference already, whatever it says.
  static const std::set<std::string> ours{
      "Script exceeded the memory limit of its sandbox policy", "Script result is too large",
      "Script ended while it waited for something that can no longer happen"};
  if (ours.contains(text_in(answer, "_collectorError"))) return answer;
  const bool by_engine =
      recorded.is_null() || (recorded.is_string() && !is_worded_by_us(test_case, recorded));
  // Node tells its own end by a trace.
  const std::string message = text_in(answer, "message");
  const bool is_trace =
      message.find("stack trace") != message.npos || message.find("node::Abort") != message.npos;
  if ((!by_engine && !is_trace) || !answer.contains("_collectorError") ||
      answer["_collectorError"] == "") {
    return answer;
  }
  answer["_collectorError"] = engines_words;
  answer["message"] = engines_words;
  return answer;
}

json recorded_answer(const json& test_case) {
  json answer = json::object();
  for (const auto& runtime : module_bench().runtimes()) {
    answer[runtime] =
        comparable(test_case, test_case.at("result"), test_case.at("status") == "healthy");
  }
  return answer;
}

json entry_of(const agent::CollectorOutcome& end) {
  const auto& script = std::get<agent::InlineScriptOutcome>(end.outcome);
  json entry{{"success", script.success}, {"timedOut", script.timed_out}};
  if (script.message) entry["message"] = *script.message;
  if (script.value) entry["value"] = *script.value;
  if (end.error) entry["_collectorError"] = *end.error;
  return entry;
}

json healthy_with(json fields) {
  json answer{{"success", true}, {"timedOut", false}, {"status", "healthy"}};
  answer.update(fields);
  return answer;
}
json failed_with(const std::string& error) {
  return {{"success", false},
          {"timedOut", false},
          {"status", "unhealthy"},
          {"message", error},
          {"_collectorError", error}};
}

/// Before node 20 the cells of a table are centred.
void align_table(json& answer) {
  static const std::string centred = "\u2502    0    \u2502", left = "\u2502 0       \u2502";
  if (!answer.contains("message") || !answer["message"].is_string()) return;
  std::string text = answer["message"];
  const auto at = text.find(centred);
  if (at != text.npos) answer["message"] = text.replace(at, centred.size(), left);
}

constexpr const char* too_much_memory = "Script exceeded the memory limit of its sandbox policy";

json inline_script_answer(const json& test_case, const json&) {
  json answer = json::object();
  for (const auto& runtime : module_bench().runtimes()) {
    const auto end = module_bench().run(runtime, test_case);
    answer[runtime] = comparable(test_case, entry_of(end), !agent::failure_of(end));
    // Each version of node has more of them.
    const bool is_list = name_of_case(test_case) == "globals-list" && runtime == "node";
    if (is_list) answer[runtime]["message"] = engines_words;
    if (runtime == "node") align_table(answer[runtime]);
    // Whether the launcher looks while so short a run is above its bound is chance.
    const bool was_quick =
        name_of_case(test_case) == "memory-hog" && answer[runtime].value("value", 0.0) == 40;
    if (was_quick) answer[runtime] = failed_with(too_much_memory);
  }
  return answer;
}

// --- What we do otherwise ------------------------------------------------------------------------

using Adjust = std::function<void(json& answer, const std::string& runtime)>;

std::optional<json> adjusted(const json& recorded, const Adjust& adjust) {
  json ours = recorded;
  for (auto& [runtime, answer] : ours.items()) adjust(answer, runtime);
  return ours == recorded ? std::nullopt : std::optional(ours);
}

/// What a body returns that ends in `return NUMBER` or exports one.
std::optional<json> number_at_end(const std::string& script) {
  static const std::regex number("(?:return|export default) ([0-9]+);?\\s*$");
  std::smatch match;
  if (!std::regex_search(script, match, number)) return std::nullopt;
  return healthy_with({{"value", std::stod(match[1])}});
}

/// A script with types gives what it says, where the runtime takes types.
std::optional<json> types_are_taken(const json& test_case, const json& recorded) {
  static const std::map<std::string, json> results{{"typescript-annotation", 5.0},
                                                   {"typescript-enum", 4.0}};
  if (!name_of_case(test_case).starts_with("typescript-")) return std::nullopt;
  const auto known = results.find(name_of_case(test_case));
  const auto given = known == results.end() ? number_at_end(script_of(test_case))
                                            : healthy_with({{"value", known->second}});
  if (!given) return std::nullopt;
  return adjusted(recorded, [&](json& answer, const std::string& runtime) {
    const bool is_erasable = name_of_case(test_case) != "typescript-enum";
    if (runtime == "bun" || (is_erasable && module_bench().node_removes_types())) answer = *given;
  });
}

/// What is left open after the result does not cost the result.
std::optional<json> open_handles_are_ended(const json& test_case, const json& recorded) {
  const auto given = number_at_end(script_of(test_case));
  if (!given || !test_case.at("result").at("timedOut").get<bool>()) return std::nullopt;
  return adjusted(recorded, [&](json& answer, const std::string&) { answer = *given; });
}

/// A promise that nothing can settle any more is told at once.
std::optional<json> endless_waits_are_told(const json& test_case, const json& recorded) {
  const bool waits = script_of(test_case).find("new Promise(() => {})") != std::string::npos;
  if (!waits || !test_case.at("result").at("timedOut").get<bool>()) return std::nullopt;
  return adjusted(recorded, [](json& answer, const std::string&) {
    answer = failed_with("Script ended while it waited for something that can no longer happen");
  });
}

std::optional<json> empty_errors_fail(const json& test_case, const json& recorded) {
  if (test_case.at("result").value("_collectorError", json()) != "") return std::nullopt;
  return adjusted(recorded, [](json& answer, const std::string&) {
    answer["_collectorError"] = "Check failed";
    answer["status"] = "unhealthy";
  });
}

std::optional<json> zero_bytes_are_replaced(const json&, const json& recorded) {
  return adjusted(recorded, [](json& answer, const std::string&) {
    if (!answer.contains("message") || !answer["message"].is_string()) return;
    std::string text = answer["message"];
    for (auto at = text.find('\0'); at != text.npos; at = text.find('\0')) {
      text.replace(at, 1, "\uFFFD");
    }
    answer["message"] = text;
  });
}

/// A large result says so; what the existing satellite reports is the beginning of its marker.
std::optional<json> large_results_are_named(const json& test_case, const json& recorded) {
  if (!test_case.at("result").value("_collectorError", json()).is_object()) return std::nullopt;
  return adjusted(recorded, [](json& answer, const std::string&) {
    answer["_collectorError"] = answer["message"] = "Script result is too large";
  });
}

std::optional<json> keys_stay_keys(const json& test_case, const json& recorded) {
  if (name_of_case(test_case) != "context-special-keys") return std::nullopt;
  return adjusted(recorded,
                  [](json& answer, const std::string&) { answer = healthy_with(json::object()); });
}

/// The script is told of its own account, and of nothing that the satellite's shell had set.
std::optional<json> the_account_is_told(const json& test_case, const json& recorded) {
  if (name_of_case(test_case) != "process-env-names") return std::nullopt;
  std::set<std::string> names{"HOME", "LOGNAME", "NODE_OPTIONS", "SHELL", "TMPDIR", "USER"};
  for (const auto name : sandbox::safe_base_names()) {
    if (std::getenv(std::string(name).c_str()) != nullptr) names.emplace(name);
  }
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ",") + name;
  return adjusted(recorded,
                  [&list](json& answer, const std::string&) { answer["message"] = list; });
}

/// Landlock is asked before the mount, which bun's way of opening a file shows.
std::optional<json> landlock_answers_first(const json&, const json& recorded) {
  return adjusted(recorded, [](json& answer, const std::string& runtime) {
    if (runtime == "bun" && answer.value("message", json()) == "EROFS")
      answer["message"] = "EACCES";
  });
}

/// The script's folder is its scratch directory, and the packages are at /node_modules.
std::optional<json> packages_are_at_the_root(const json& test_case, const json& recorded) {
  static const std::map<std::string, std::string> told{{"pkg-cwd", "<run>"},
                                                       {"pkg-write-to-node-modules", "ENOENT"}};
  const auto found = told.find(name_of_case(test_case));
  if (found == told.end()) return std::nullopt;
  return adjusted(
      recorded, [&found](json& answer, const std::string&) { answer["message"] = found->second; });
}

std::optional<json> memory_is_watched(const json& test_case, const json& recorded) {
  if (name_of_case(test_case) != "memory-hog") return std::nullopt;
  return adjusted(recorded,
                  [](json& answer, const std::string&) { answer = failed_with(too_much_memory); });
}

/// Node has no API of bun's, and words and prints things in its own way.
std::optional<json> node_is_not_bun(const json& test_case, const json& recorded) {
  static const std::map<std::string, json> own{
      {"dirname", "undefined|string|undefined"},
      {"argv", "node runner.cjs"},
      {"pkg-exports-conditions", "node"},
      {"console-log", "hello 1 { a: 1 } [ 1, 'x' ] null undefined true"},
      {"import-missing-dynamic",
       "Error: Cannot find package 'left-pad' imported from <run>/user.mjs"},
      {"console-all-levels",
       "i\nd\n┌─────────┬───┐\n│ (index) │ a │\n├─────────┼───┤\n│ 0       │ 1 │\n└─────────┴───┘"},
      {"globals-list", engines_words},
      {"fetch-dns-denied", "TypeError|"}};
  static const std::set<std::string> of_bun{"import-bun-test", "import-bun-sqlite", "cwd-bunfig",
                                            "pkg-typescript", "process-abort"};
  const std::string name = name_of_case(test_case);
  return adjusted(recorded, [&](json& answer, const std::string& runtime) {
    if (runtime != "node") return;
    if (const auto found = own.find(name); found != own.end()) answer["message"] = found->second;
    if (of_bun.contains(name)) {
      answer = failed_with("");
      answer["message"] = answer["_collectorError"] = engines_words;
    }
  });
}

}  // namespace

std::vector<ConformanceCase> module_conformance_cases() {
  return {{"normaliseUserScript", normalise_answer, out},
          {"rewriteHelperImports", rewrite_answer, out},
          {"inlineScripts", inline_script_answer, recorded_answer}};
}

std::vector<Difference> module_differences() {
  const char* function = "inlineScripts";
  return {{function, "types-are-taken", types_are_taken},
          {function, "open-handles-are-ended", open_handles_are_ended},
          {function, "endless-waits-are-told", endless_waits_are_told},
          {function, "empty-errors-fail", empty_errors_fail},
          {function, "zero-bytes-are-replaced", zero_bytes_are_replaced},
          {function, "large-results-are-named", large_results_are_named},
          {function, "keys-stay-keys", keys_stay_keys},
          {function, "memory-is-watched", memory_is_watched},
          {function, "the-account-is-told", the_account_is_told},
          {function, "packages-are-at-the-root", packages_are_at_the_root},
          {function, "landlock-answers-first", landlock_answers_first},
          {function, "node-is-not-bun", node_is_not_bun}};
}

}  // namespace satellite::vectors
