#pragma once

#include <ostream>

namespace satellite::agent {

/// What the service manager is asked for.
enum class ServiceDeed {
  start,   ///< now and at each boot
  restart  ///< if it runs: a credential is read at the start only
};

/// Asks systemd, where it is and knows the unit; else says what to do by hand, which is no failure.
/// False if systemd refused; what it said is on standard error.
bool tell_service(ServiceDeed deed, std::ostream& out);

}  // namespace satellite::agent
