#pragma once

#include "agent/connection/reconnect_policy.hpp"

namespace satellite::agent {

/// Connections that the core accepted and that did not last, in a row. Pure.
///
/// Shape:  three of them are a pattern: another satellite with the same id takes the place of this
///         one, something on the way cuts, or the core fails. One that lasts, or a core that cannot
///         be reached or says no, is another story.
class ShortConnections {
 public:
  static constexpr unsigned pattern = 3;

  /// True while it is a pattern.
  bool note(const EndedConnection& ended) {
    const bool was_accepted = ended.authenticated_for.count() > 0;
    const bool was_short = ended.end == ConnectionEnd::lost && was_accepted &&
                           ended.authenticated_for < limits::stable_after;
    if (was_short) {
      ++in_a_row_;
    } else if (was_accepted) {
      in_a_row_ = 0;
    }
    return in_a_row_ >= pattern;
  }
  unsigned in_a_row() const { return in_a_row_; }

 private:
  unsigned in_a_row_ = 0;
};

}  // namespace satellite::agent
