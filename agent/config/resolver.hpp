#pragma once

namespace satellite::agent {

/// Who turns the core's name into addresses.
enum class Resolver {
  builtin,  ///< /etc/hosts, then the name servers of /etc/resolv.conf, by code inside this program
  getent,   ///< the host's own program getent, which asks all that nsswitch.conf names
};

}  // namespace satellite::agent
