#pragma once

#include "agent/config/config.hpp"
#include "sandbox/host/readiness.hpp"

#include <optional>
#include <string>
#include <vector>

namespace satellite::agent {

/// What a satellite that runs says that this host can do.
struct HostAsServiceSeesIt {
  bool is_enforceable = false;
  std::string guidance;
  std::vector<sandbox::CapabilityFinding> findings;
};

/// The satellite that runs on this host, in its own words.
struct RunningService {
  std::string why_unknown;  ///< whether one runs; empty = that is known
  bool answers = false;
  std::string process_id;  ///< for /proc alone; empty = it did not say
  std::string client_id, connection_state, last_reason;
  /// Nothing = it has not looked yet, or is of a version that does not tell.
  std::optional<HostAsServiceSeesIt> host;
};

/// Asks it over its socket, within ten seconds.
RunningService ask_service(const Config& config);

/// The same from the text of its answer. Pure.
RunningService service_in(const std::string& status_json);

/// With whose eyes the host was looked at.
struct Eyes {
  std::string words;   ///< a sentence
  std::string caveat;  ///< for whoever reads the verdict alone; empty = they are the service's
};
Eyes eyes_of(const RunningService& service);

}  // namespace satellite::agent
