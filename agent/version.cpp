#include "agent/version.hpp"

namespace satellite::agent {

const char* const version = SATELLITE_VERSION;

}  // namespace satellite::agent
