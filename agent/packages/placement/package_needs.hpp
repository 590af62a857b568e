#pragma once

#include "protocol/vocabulary/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// What one package says that it imports, by its package.json.
struct PackageNeed {
  enum class Kind { required, optional, peer, optional_peer };
  Kind kind = Kind::required;
  std::string alias;  ///< the name in the importing code
  std::string name;   ///< the package's own: another one for `npm:` aliases
  std::string range;  ///< as written; not always a range
};

/// A package.json -> its needs, in the order of their names. Pure.
///
/// Shape:  dependencies (without those that are optional, too), optionalDependencies, and
///         peerDependencies that are no dependencies. What is no text, or no name of a package, is
///         left out, as npm does. A byte order mark before the text is skipped.
/// Errors: invalid_input or limit_exceeded for a text that cannot be read.
/// Source: https://docs.npmjs.com/cli/configuring-npm/package-json
Result<std::vector<PackageNeed>> read_package_needs(std::string_view package_json);

}  // namespace satellite::agent
