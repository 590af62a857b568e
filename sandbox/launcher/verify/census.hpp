#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/launcher/verify/measure.hpp"
#include "sandbox/launcher/wire/launch_order.hpp"

#include <sys/types.h>
#include <map>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// What of a runtime that was let go, and waits for its task, can be read from outside.
///
/// Shape:  facts only. A process that sleeps in a read may be measured without being stopped: until
///         it gets its task only the runtime and our bootstrap have run, and what the task does is
///         what every script may do.
/// Source: proc(5); sandbox/README.md "Scripts in JavaScript".
struct Census {
  Posture posture;  ///< as at its barrier, the number of its descriptors apart
  NamespaceIdentities namespaces{};
  FileIdentity root, program;
  /// By number: `pipe`, `anon_inode:[eventpoll]`, a path; never the number of an inode.
  std::map<int, std::string> descriptors;
  std::size_t threads = 0;
  std::vector<std::string> loose_threads;  ///< what a thread lacks that the script must not lack
  std::string limits;                      ///< as /proc/PID/limits has them
};

/// Errors: the first fact that could not be read.
Result<Census> take_census(const MeasureRequest& request, const OwnSurroundings& own);

/// Why a runtime may not wait for a task as it is; empty = it may. Pure.
std::string fault_of(const Census& census, const Expectation& expectation);

/// What changed since the first one, in words; empty = nothing that matters. Threads may come and
/// go, since each starts with the filter of its process. Pure.
std::string difference_of(const Census& first, const Census& now);

}  // namespace satellite::sandbox
