#pragma once

#include "sandbox/hints/host_topics.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// What the messages of a script say that it missed.
struct OutputEvidence {
  std::vector<HostMention> topics;
  std::vector<std::string> missing_paths;  ///< absolute, that no such file was found at
};

/// Reads error messages of common programs, one for each topic and at most a few paths. Pure.
OutputEvidence evidence_in(std::string_view output);

}  // namespace satellite::sandbox
