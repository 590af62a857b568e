#pragma once

#include "agent/packages/placement/semantic_version.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// Which versions a dependency accepts: `^1.2.0 || >=2.1 <3`, `1.x`, `1.2 - 2`, `*`.
///
/// Shape:  alternatives of comparisons that must all hold. A version before a release is accepted
///         only where a comparison of the same three numbers names one.
/// Source: https://github.com/npm/node-semver, its ranges without options.
class VersionRange {
 public:
  /// Nothing for what is no range: an address, a tag.
  static std::optional<VersionRange> parse(std::string_view text);

  bool accepts(const SemanticVersion& version) const;

 private:
  enum class Comparison { less, less_or_equal, equal, greater_or_equal, greater };
  struct Bound {
    Comparison comparison = Comparison::equal;
    SemanticVersion version;
    /// It bounds from above or below by `-0`, which nobody wrote: it lets no such version in.
    bool is_implied = false;
  };
  using Alternative = std::vector<Bound>;
  class Reader;

  static bool holds(const Bound& bound, const SemanticVersion& version);
  std::vector<Alternative> alternatives_;
};

}  // namespace satellite::agent
