#pragma once

#include "agent/config/config.hpp"
#include "protocol/vocabulary/result.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace satellite::agent {

/// The tree of packages in use in this host's state directory, for commands that run beside a
/// satellite or without one.
struct PackagesHere {
  std::string lockfile_hash;
  std::string node_modules;  ///< its path
  std::size_t packages = 0;
};

/// Looks only: nothing is made, locked or changed. Nothing where there is none, or none that may be
/// looked at.
std::optional<PackagesHere> packages_here(const Config& config);

/// Starts the process that unpacks, in a directory of its own, and ends it: the walls that it has
/// on this host. Errors: as UnpackProcess::start.
Result<std::string> try_unpacking(const std::string& scratch_parent);

}  // namespace satellite::agent
