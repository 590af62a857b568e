#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/ids.hpp"
#include "protocol/vocabulary/secret.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace satellite::protocol {

/// The script dispatch extension: run_script and its family, in both directions.
///
/// Shape:  one struct per message, the wire's nouns. Members that end in `_json` hold JSON text as
///         it stood in the frame (incoming) or as it shall stand there (outgoing).
/// Units:  bytes and std::chrono types; `seq` counts all messages of one run from 0, without gaps.
/// Source: dispatch-extension; limits in vocabulary/limits.hpp.

enum class ScriptKind { health_check, automation };
enum class ScriptLanguage { shell, module };
enum class ScriptPriority { high, normal, low };
enum class RejectionCode {
  invalid,
  forbidden,
  queue_full,
  expired,
  duplicate,
  not_found,
  shutting_down,
};
enum class OutputStream { standard_output, standard_error };
enum class ScriptState { queued, running, finished, unknown };

// --- From the core -------------------------------------------------------------------------------

struct RunScript {
  RunId run_id;  ///< idempotency key
  ScriptKind kind = ScriptKind::health_check;
  ScriptLanguage language = ScriptLanguage::shell;
  std::string script;
  std::chrono::milliseconds timeout{0};  ///< wall clock from start
  std::map<std::string, std::string> environment;
  std::map<std::string, Secret> secret_environment;
  std::optional<std::string> context_json;
  std::optional<std::string> working_directory;  ///< inside the sandbox; absent = scratch directory
  std::optional<std::string> standard_input;     ///< absent = /dev/null
  ScriptPriority priority = ScriptPriority::normal;
  std::optional<std::chrono::system_clock::time_point> start_before;
};

/// A run_script that breaks a rule but names its run, so that it can be answered.
struct RejectedRunScript {
  RunId run_id;
  RejectionCode code = RejectionCode::invalid;
  std::string message;  ///< the JSON path and the rule, never a value
};

struct CancelScript {
  RunId run_id;
  std::string reason;  ///< may be empty
};

/// Everything of the run up to `seq` is safe at the core.
struct ScriptAck {
  RunId run_id;
  std::uint64_t seq = 0;
};

struct QueryScript {
  RunId run_id;
};

struct ResultAck {
  std::vector<std::string> result_ids;
};

// --- From the agent ------------------------------------------------------------------------------

struct ScriptAccepted {
  RunId run_id;
  std::uint64_t position = 0;  ///< in the queue, 0 = starting
};

struct ScriptRejected {
  RunId run_id;
  RejectionCode code = RejectionCode::invalid;
  std::string message;
};

struct ScriptStarted {
  RunId run_id;
  std::uint64_t seq = 0;
  std::chrono::system_clock::time_point started_at{};
  std::string sandbox_json;  ///< the enforcement report
};

struct ScriptOutput {
  RunId run_id;
  std::uint64_t seq = 0;
  OutputStream stream = OutputStream::standard_output;
  std::uint64_t offset = 0;  ///< bytes of this stream before this chunk
  std::string bytes;         ///< at most output_chunk_size_max
};

struct RunUsage {
  std::chrono::microseconds cpu{0};  ///< user and system together
  ByteCount resident_max;
};

struct ScriptFinished {
  RunId run_id;
  std::uint64_t seq = 0;
  std::string outcome;  ///< one of `outcome_words` (wire_words.hpp)
  int exit_code = -1;   ///< -1 unless the script exited; death by signal N is 128 + N
  std::optional<int> signal;
  bool output_truncated = false;
  ByteCount bytes_standard_output, bytes_standard_error;  ///< delivered
  ByteCount bytes_dropped;
  std::chrono::system_clock::time_point started_at{};
  std::chrono::milliseconds duration{0};
  RunUsage usage;
  std::optional<std::string> result_json;    ///< what a module returned
  std::optional<std::string> error;          ///< what and where, for a person
  std::optional<std::string> stack;          ///< of an error that a module threw
  std::optional<std::string> artifact_json;  ///< automation only (core-contract 7)
  std::vector<std::string> dropped_environment;
  std::string sandbox_json;
};

struct ScriptStatus {
  RunId run_id;
  ScriptState state = ScriptState::unknown;
  std::optional<std::string> finished_json;  ///< the run's script_finished frame, if it has one
};

}  // namespace satellite::protocol
