#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/launcher/wire/launch_order.hpp"
#include "sandbox/planning/plan.hpp"
#include "sandbox/report/run_request.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace satellite::sandbox {

/// One argv string ends at MAX_ARG_STRLEN, 32 pages, its NUL included (execve(2)).
inline constexpr ByteCount argument_size_max{131'071};

/// Where a script too long for argv is read from; the launcher puts it there.
inline constexpr std::string_view long_script_path = "/proc/self/fd/3";

/// What the order needs beyond the plan.
struct OrderInputs {
  std::uint64_t run_number = 0;
  Language language = Language::shell;
  std::optional<std::string> standard_input;
  /// A script that the command reads from long_script_path, whatever its length.
  std::optional<std::string> script_file{};
  /// No other process of the host is to see the script's text, so that no command line may hold it.
  bool keeps_script_back = false;
};

/// The plan as the launcher gets it, with what has to be true of the stopped script.
///
/// Shape:  pure. A command `sh -c SCRIPT` with a script that is long or kept back becomes one that
///         reads the script from long_script_path and closes that descriptor first, so that the
///         script sees the same $0, arguments and descriptors as a short one.
/// Errors: invalid_input when an argument, the scratch or the working directory holds a NUL byte:
///         execve(2) would silently run something shorter. limit_exceeded for a long argument that
///         is no shell script.
Result<LaunchOrder> make_launch_order(const Plan& plan, OrderInputs inputs);

/// What verification has to find before the script may start.
Expectation expectation_of(const Plan& plan);

}  // namespace satellite::sandbox
