#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace satellite::sandbox {

/// A script's environment, built from nothing.
struct ScriptEnvironment {
  std::map<std::string, std::string> variables;
  std::vector<std::string> dropped;  ///< names that were refused, in the order given
};

/// Which overrides are refused.
enum class EnvironmentGuard {
  off,  ///< sandbox disabled: only names no environment can hold
  on,   ///< also whatever makes a loader, a shell or an interpreter run foreign code
};

/// Named values in the order in which they were given.
using NamedValues = std::vector<std::pair<std::string, std::string>>;

/// `base` with the permitted `overrides` on top; later wins.
///
/// Shape:  the base's own PATH survives, an override's does not. Names that are empty or hold `=`
///         or NUL, and values that hold NUL, are dropped under every guard: execve(2) would turn
///         them into something else.
/// Source: core-contract 3.3, 9-C9; reference-satellite 8.
ScriptEnvironment build_environment(const std::map<std::string, std::string>& base,
                                    const NamedValues& overrides, EnvironmentGuard guard);

/// The part of `ours` that every script gets: PATH, HOME, USER, language, time zone, TMPDIR, …
std::map<std::string, std::string> safe_base(const std::map<std::string, std::string>& ours);

/// The names of safe_base, for callers that read the process environment themselves.
const std::vector<std::string_view>& safe_base_names();

/// Names that the reference satellite refuses, too: exact names and one prefix.
bool is_refused_upstream(std::string_view name);
/// Names that only we refuse.
bool is_refused_in_addition(std::string_view name);

}  // namespace satellite::sandbox
