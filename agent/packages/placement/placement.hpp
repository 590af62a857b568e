#pragma once

#include "agent/packages/placement/package_needs.hpp"
#include "protocol/vocabulary/result.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace satellite::agent {

/// One package of the closure, as far as its place depends on it.
struct PlacedPackage {
  std::string name, version;
  std::vector<PackageNeed> needs;
};

/// Who sees whom: each package exactly what it declares, everybody one version of every name.
///
/// Shape:  packages are named by their index in the list that place_packages was given.
struct PackagePlacement {
  struct Link {
    std::string alias;
    std::size_t target = 0;
    bool operator==(const Link&) const = default;
  };
  std::map<std::string, std::size_t> top;  ///< by name
  std::vector<std::vector<Link>> links;    ///< of each package
  std::vector<std::string> warnings;       ///< what a package needs and the list has not
};

/// The placement of a closure. Pure, and the same for the same packages in any order.
///
/// Shape:  a need is met by the highest version that it accepts; a peer by the top version, where
///         it accepts that. What is required and met by none gets the highest version of the name
///         and a warning; what is optional or a peer gets nothing. The top version of a name is one
///         that nobody's need accepts, since the operator asked for it, else the one that most
///         accept, the highest of those.
/// Errors: limit_exceeded for a closure made to cost more than any real one.
/// Source: https://docs.npmjs.com/cli/configuring-npm/package-json,
///         https://nodejs.org/api/modules.html
Result<PackagePlacement> place_packages(const std::vector<PlacedPackage>& packages);

}  // namespace satellite::agent
