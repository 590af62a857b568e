#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/ids.hpp"
#include "protocol/vocabulary/secret.hpp"
#include "sandbox/state/state_file.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace satellite::sandbox {

enum class Language { shell, module };

/// What a script is for: the operator may let the one see more of the host than the other.
enum class RunKind { health_check, automation };

/// For whom a module runs: what it may import from the SDK, and which function is a global.
enum class ModulePurpose { health_check, automation };

/// The tree of script packages that a module run may import from.
///
/// Shape:  whoever keeps the trees gives one of these to a run and does not remove the directory
///         while `in_use` exists.
struct PackageTree {
  std::string node_modules;  ///< absolute, on the host; shown read-only at /node_modules
  std::shared_ptr<const void> in_use;
};

/// What a module run brings along besides its script.
struct ModuleInput {
  ModulePurpose purpose = ModulePurpose::health_check;
  Secret context_json;  ///< one JSON value, the script's `context`; empty = null
  std::optional<PackageTree> packages;
};

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
  RunKind kind = RunKind::health_check;
  std::string script;
  std::vector<std::string> arguments{};  ///< of a shell script: $0, $1 and so on; empty = none
  ModuleInput module;                    ///< for Language::module
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
  /// What its check keeps between runs, where the operator grants that. Without it a run that is
  /// granted a state begins with nothing, and nothing of it is kept.
  std::optional<KeptState> state{};
};

}  // namespace satellite::sandbox
