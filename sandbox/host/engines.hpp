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

/// Engines by their names, `native,bwrap,nsjail`, in the order in which runs try them. The
/// order of the text does not count: it says what may be used, not what is preferred.
///
/// Errors: invalid_input for an empty list or another word.
Result<std::vector<Engine>> parse_engines(std::string_view text);

/// Every engine there is, the strongest first.
std::vector<Engine> all_engines();

/// Removes from `facts` what is not in `engines`, as if this host did not have it. Where that is
/// the wrapper in use, the first working one that is in `engines` takes its place.
void restrict_engines(HostFacts& facts, const std::vector<Engine>& engines);

/// What an operator can do where none of the engines that may be used works: install a program, or
/// let another engine be used, which is better advice where sandbox.engines forbids one.
std::string engine_remedy(const std::vector<Engine>& allowed);

}  // namespace satellite::sandbox
