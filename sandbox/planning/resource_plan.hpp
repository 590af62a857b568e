#pragma once

#include "sandbox/planning/plan.hpp"
#include "sandbox/policy/policy.hpp"

#include <string>
#include <vector>

namespace satellite::sandbox {

/// Whether the policy asks for a limit that the kernel would have to keep.
bool asks_for_limits(const ResourceLimits& limits);

/// The limits set on the script itself.
///
/// Shape:  memory is not among them: RLIMIT_AS counts reserved addresses, of which modern runtimes
///         take gigabytes at start, so it kills them without limiting anything.
/// Source: reference-satellite 5; setrlimit(2).
enum class ProcessCount {
  isolated,  ///< RLIMIT_NPROC counts this run only: own user namespace, or a dedicated uid
  shared,    ///< it would also count, and starve, processes that are not this run's
};
std::vector<ResourceSetting> resource_settings(const ResourceLimits& limits, ProcessCount count);

/// `prlimit --cpu=60 … --`, or nothing when there is no limit to set.
std::vector<std::string> prlimit_prelude(const std::vector<ResourceSetting>& settings);

/// Fixed words: `cpu`, `nofile`, `nproc`, `fsize`, as prlimit(1) has them.
std::string_view name_of(Resource resource);

}  // namespace satellite::sandbox
