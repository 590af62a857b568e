#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/ids.hpp"
#include "protocol/vocabulary/secret.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace satellite::sandbox {

enum class Language { shell, module };

/// How much one run may have to mask. The longest variable has 128 KiB, and its value may be made
/// of a secret that is masked by itself: both fit. All forms of so much are some 70,000 pieces to
/// look for, about 20 MB while the run goes on.
inline constexpr ByteCount masked_size_max{256U << 10U};
/// This many short values have about as many forms.
inline constexpr std::size_t masked_count_max = 4'096;

/// One script to run, whoever asked for it: the core, the timetable or the command line.
///
/// Shape:  move-only, because the secrets are.
/// Units:  timeout is wall clock from the start of the script.
struct RunRequest {
  RunId id;
  Language language = Language::shell;
  std::string script;
  std::map<std::string, std::string> environment;
  std::map<std::string, Secret> secret_environment;  ///< values masked in every output
  std::vector<Secret> further_secrets;               ///< masked as well, but in no variable
  std::optional<std::string> working_directory;      ///< inside the sandbox; absent = scratch
  bool may_run_in_scratch = false;                   ///< where the sandbox has no such directory
  std::string standard_input;                        ///< empty and !has_standard_input = /dev/null
  bool has_standard_input = false;
  std::chrono::milliseconds timeout{30'000};
  /// The timeout that was asked for, where operator.timeout_max cut it; the report names both.
  std::optional<std::chrono::milliseconds> longer_timeout{};
};

}  // namespace satellite::sandbox
