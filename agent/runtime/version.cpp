#include "agent/runtime/version.hpp"

namespace satellite::agent {

const char* const program_version = SATELLITE_VERSION;

}  // namespace satellite::agent
