#pragma once

#include "protocol/vocabulary/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

struct HostFacts;  // host_facts.hpp

/// The program that puts the view and the namespaces of a run together.
enum class Engine {
  none,    ///< a process with limits and an identity, in the host's namespaces
  bwrap,   ///< bubblewrap
  nsjail,  ///< nsjail
  native,  ///< our own launcher
};
std::string_view name_of(Engine engine);

/// Engines by their names, `native,bwrap,nsjail`, in the order in which runs try them, whatever
/// order they were written in: the list says what may be used, not what is liked best.
///
/// Errors: invalid_input for an empty list or another word.
Result<std::vector<Engine>> parse_engines(std::string_view text);

/// Every engine there is, the strongest first.
std::vector<Engine> all_engines();

/// An engine that may not be used is an engine that this host does not have. Among wrappers the
/// first that may be used goes in the place of the one that may not.
void restrict_engines(HostFacts& facts, const std::vector<Engine>& engines);

/// What an operator can do where none of the engines that may be used works: install a program, or
/// let another engine be used, which is better advice where sandbox.engines forbids one.
std::string engine_remedy(const std::vector<Engine>& allowed);

}  // namespace satellite::sandbox
