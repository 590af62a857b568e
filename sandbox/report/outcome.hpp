#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "sandbox/report/report.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// How a run ended, in the words of protocol/spec/dispatch-extension.md.
enum class Outcome {
  exited,
  signaled,
  timed_out,
  cancelled,
  output_limit,
  memory_limit,
  refused,       ///< a required layer could not be enforced; the script never ran
  setup_failed,  ///< a setup step failed; the script never ran
  interrupted,   ///< the agent or the launcher went away
};
std::string_view name_of(Outcome outcome);
/// Nothing of the script was executed, for a reason that an operator can mend.
bool never_ran(Outcome outcome);

enum class OutputStream { standard_output, standard_error };

struct Usage {
  std::chrono::microseconds cpu_user{0}, cpu_system{0};
  ByteCount resident_max;
};

/// What a script in JavaScript said at its end: its result, or the error that it threw.
///
/// Shape:  secrets masked, in keys and texts of the result, too; paths of the scratch directory are
///         those of the script's own folder.
struct ModuleAnswer {
  bool ok = false;
  std::string result_json = "null";  ///< one JSON value
  std::string error;                 ///< without `ok`
  std::optional<std::string> stack;  ///< without `ok`, where the engine gave one
};

/// Everything that is known about a run after its end.
///
/// Units:  exit_code is -1 unless the script exited; death by signal N is 128 + N.
struct RunResult {
  Outcome outcome = Outcome::setup_failed;
  int exit_code = -1;
  std::optional<int> signal;
  bool output_truncated = false;
  bool was_prepared = false;  ///< the sandbox stood ready before the script was asked for
  bool root_was_ready = false, network_was_ready = false;  ///< parts of it that were made ahead
  ByteCount bytes_standard_output, bytes_standard_error;   ///< delivered
  ByteCount bytes_dropped;                                 ///< read after the cap was reached
  std::chrono::system_clock::time_point started_at{};
  std::chrono::milliseconds duration{0};
  Usage usage;
  bool is_module = false;                 ///< the script was one in JavaScript
  std::optional<ModuleAnswer> answer;     ///< of a module; without one it gave none
  bool lacked_working_directory = false;  ///< setup_failed, because it is not in the sandbox
  std::optional<std::string> error;  ///< set for refused, setup_failed, interrupted: what and where
  int error_number = 0;              ///< of setup_failed, where the kernel said no
  std::vector<std::string> dropped_environment;
  bool has_new_state = false;  ///< RunRequest::state holds what is to be kept from now on
  EffectiveSandbox sandbox;
};

}  // namespace satellite::sandbox
