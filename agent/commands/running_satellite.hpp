#pragma once

#include "agent/config/config.hpp"
#include "protocol/vocabulary/result.hpp"

#include <string>

namespace satellite::agent {

/// What the satellite that runs on this host answers over its socket.
struct SatelliteAnswer {
  unsigned status = 0;  ///< of HTTP
  std::string body;
};

/// Asks it for a page: `/status`, `/status.json`, `/readyz`; at the sockets that the settings name,
/// or where they usually are.
///
/// Errors: unavailable naming each place and what was wrong with it; not_permitted if one of them
///         is closed to this user.
Result<SatelliteAnswer> ask_satellite(const Config& config, const std::string& page);

}  // namespace satellite::agent
