#include "protocol/decoding/run_script.hpp"

#include "protocol/timestamp.hpp"
#include "protocol/vocabulary/json_fields.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "protocol/wire_words.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace satellite::protocol {
namespace {

using namespace satellite::byte_literals;
using nlohmann::json;

constexpr MapBounds environment_bounds{limits::environment_entries_max,
                                       // one byte of the entry is the equals sign
                                       limits::environment_entry_size_max - 1_B,
                                       limits::environment_size_max};

bool has_zero(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

std::string_view text_of(const std::string& value) {
  return value;
}
std::string_view text_of(const Secret& value) {
  return value.reveal();
}

/// execve(2) takes `name=value` strings that end at the first zero byte.
template <typename Entries>
void check_environment(JsonFields& fields, std::string_view member, const Entries& entries) {
  for (const auto& [name, value] : entries) {
    if (name.empty() || has_zero(name) || name.find('=') != std::string::npos) {
      fields.fail(ErrorCode::invalid_input, member,
                  "holds a name that is empty or has '=' or a zero byte");
    }
    if (has_zero(text_of(value))) {
      fields.fail(ErrorCode::invalid_input, member, "holds a value with a zero byte");
    }
  }
}

void check_environment_together(JsonFields& fields, const RunScript& run) {
  ByteCount size;
  for (const auto& [name, value] : run.environment) size += ByteCount{name.size() + value.size()};
  for (const auto& [name, value] : run.secret_environment) {
    size += ByteCount{name.size() + value.reveal().size()};
  }
  if (run.environment.size() + run.secret_environment.size() > limits::environment_entries_max ||
      size > limits::environment_size_max) {
    fields.fail(ErrorCode::limit_exceeded, "env", "passes the limit together with secretEnv");
  }
}

void read_environment(JsonFields& fields, RunScript& run) {
  auto plain = fields.optional_text_map("env", environment_bounds);
  if (plain) run.environment = std::move(*plain);
  auto secret = fields.optional_secret_map("secretEnv", environment_bounds);
  if (secret) run.secret_environment = std::move(*secret);
  check_environment(fields, "env", run.environment);
  check_environment(fields, "secretEnv", run.secret_environment);
  check_environment_together(fields, run);
}

void read_script(JsonFields& fields, RunScript& run) {
  run.kind = fields.required_word<ScriptKind>("kind", script_kind_words);
  run.language = fields.required_word<ScriptLanguage>("language", script_language_words);
  run.script = fields.required_text("script", limits::script_size_max);
  if (has_zero(run.script)) {
    fields.fail(ErrorCode::invalid_input, "script", "holds a zero byte");
  }
  run.timeout = std::chrono::milliseconds(fields.required_integer(
      "timeoutMs", {limits::timeout_min.count(), limits::timeout_max.count()}));
  run.priority = fields.optional_word<ScriptPriority>("priority", script_priority_words,
                                                      ScriptPriority::normal);
}

void read_surroundings(JsonFields& fields, RunScript& run) {
  run.working_directory =
      fields.optional_text("workingDirectory", limits::working_directory_size_max);
  if (run.working_directory &&
      (run.working_directory->empty() || has_zero(*run.working_directory))) {
    fields.fail(ErrorCode::invalid_input, "workingDirectory", "is empty or holds a zero byte");
  }
  run.standard_input = fields.optional_text("stdin", limits::stdin_size_max);
  const auto start_before = fields.optional_text("startBefore", limits::id_size_max);
  if (!start_before) return;
  const auto time = parse_timestamp(*start_before);
  if (!time) {
    fields.fail(ErrorCode::invalid_input, "startBefore", time.error().message);
  } else {
    run.start_before = *time;
  }
}

bool is_run_id_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == ':' || c == '-';
}

}  // namespace

RunId read_run_id(JsonFields& fields) {
  std::string text = fields.required_text("runId", limits::run_id_size_max);
  if (!fields.failed() &&
      (text.empty() || !std::all_of(text.begin(), text.end(), is_run_id_character))) {
    fields.fail(ErrorCode::invalid_input, "runId",
                "must be 1 to 128 letters, digits or any of . _ : -");
  }
  return RunId(std::move(text));
}

Result<CoreMessage> decode_run_script(const JsonSlices& frame) {
  json values = frame.parsed({"runId", "kind", "language", "script", "timeoutMs", "env",
                              "secretEnv", "workingDirectory", "stdin", "priority", "startBefore"});
  JsonFields fields(values, "$");
  RunScript run;
  run.run_id = read_run_id(fields);
  if (fields.failed()) return fields.error();
  read_script(fields, run);
  read_environment(fields, run);
  read_surroundings(fields, run);
  const auto context = frame.find("context");
  if (context && context->size() > limits::context_size_max.value) {
    fields.fail(ErrorCode::limit_exceeded, "context",
                "has " + std::to_string(context->size()) + " bytes, the limit is " +
                    std::to_string(limits::context_size_max.value));
  }
  if (fields.failed()) {
    return CoreMessage(
        RejectedRunScript{std::move(run.run_id), RejectionCode::invalid, fields.error().message});
  }
  if (context) run.context_json = std::string(*context);
  return CoreMessage(std::move(run));
}

}  // namespace satellite::protocol
