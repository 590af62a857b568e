#pragma once

namespace satellite::agent {

/// What `version` prints and every heartbeat carries; set by the project's version in CMake.
extern const char* const program_version;

}  // namespace satellite::agent
