#pragma once

#include "protocol/vocabulary/result.hpp"

#include <optional>
#include <ostream>
#include <string>

namespace satellite::agent {

/// What the service manager is asked for.
enum class ServiceDeed {
  start,   ///< now and at each boot
  restart  ///< if it runs: a credential is read at the start only
};

/// Whether systemd is here and knows a unit of ours.
bool has_service_unit();

/// A unit of ours as its file has it.
struct InstalledUnit {
  std::string name;
  std::string user;  ///< `root` where it names none
};
/// The one that is enabled, else the one without privileges; nothing where systemd is not, or knows
/// none. Reads files and asks nobody.
std::optional<InstalledUnit> installed_unit();

/// Whom a unit's text runs as. Pure. Source: systemd.exec(5) User=.
std::string user_of_unit(const std::string& text);

/// The units read settings and token at their own places, whatever an option says. Pure.
/// Errors: invalid_input naming the path that they do not read, and what to do.
Result<void> check_places_of_service(const std::string& settings, const std::string& token);

/// Where settings and token were written.
struct ServiceFiles {
  std::string settings, token;
};

/// Asks systemd, where it is and knows a unit; else says what to do by hand, which is no failure.
/// The unit of root is taken where it is the one in use. False if systemd refused, or if the
/// service does not run afterwards; what it said is on standard error.
bool tell_service(ServiceDeed deed, const ServiceFiles& files, std::ostream& out);

}  // namespace satellite::agent
