#pragma once

#include "protocol/vocabulary/result.hpp"

#include <string>
#include <vector>

namespace satellite::agent {

// Texts for whoever helps an operator, as they are: they may hold secrets until they were redacted.
// Each has a bound: the beginning of what is longer, of a log its end.

/// Kernel, distribution, what the kernel lets this process do, memory and load.
std::string host_facts_text();

/// What the service manager says of our units. Errors: those of ask_program, and where it fails.
Result<std::string> units_text();

/// The last lines of the satellite's log: of the file, or of the journal where none is named.
/// Errors: those of open(2) and ask_program; unavailable where the journal knows none.
Result<std::string> log_text(const std::string& file);

/// What lies in a state directory: names, kinds, sizes, modes, owners; no contents.
/// Errors: those of opendir(3).
Result<std::string> directory_text(const std::string& directory);

}  // namespace satellite::agent
