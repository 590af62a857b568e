#pragma once

#include "agent/connection/reconnect_policy.hpp"

#include <cstdint>

namespace satellite::agent {

/// What several short connections in a row look like.
enum class ConnectionPattern {
  none,
  unstable,   ///< something on the way cuts, the core fails, or another satellite has the same id
  displaced,  ///< the core says each time that it will not have this connection any longer
};

/// Connections that the core accepted and that did not last, in a row. Pure.
///
/// Shape:  three of them are a pattern. One that lasts, or a core that cannot be reached or says
///         no, is another story. Codes that a core gives when it restarts or fails (1001, 1011,
///         1012, 1013), and the 1000 that is the default of every library, are no word about this
///         satellite: then waiting for minutes would only keep a host unwatched.
/// Source: RFC 6455 7.4.2 for the range of codes that are an application's own.
class ShortConnections {
 public:
  static constexpr unsigned pattern = 3;

  ConnectionPattern note(const EndedConnection& ended) {
    const bool was_accepted = ended.authenticated_for.count() > 0;
    const bool was_short = ended.end == ConnectionEnd::lost && was_accepted &&
                           ended.authenticated_for < limits::stable_after;
    if (was_short) {
      ++in_a_row_;
      displaced_in_a_row_ = is_word_about_us(ended.close_code) ? displaced_in_a_row_ + 1 : 0;
    } else if (was_accepted) {
      in_a_row_ = displaced_in_a_row_ = 0;
    }
    if (displaced_in_a_row_ >= pattern) return ConnectionPattern::displaced;
    return in_a_row_ >= pattern ? ConnectionPattern::unstable : ConnectionPattern::none;
  }
  unsigned in_a_row() const { return in_a_row_; }

 private:
  static bool is_word_about_us(std::optional<std::uint16_t> code) {
    constexpr std::uint16_t policy_violation = 1008, own_min = 4000, own_max = 4999;
    return code && (*code == policy_violation || (*code >= own_min && *code <= own_max));
  }

  unsigned in_a_row_ = 0, displaced_in_a_row_ = 0;
};

/// The state that a pattern other than none is, and what to do about it.
struct PatternWords {
  const char* state;
  const char* why;
};

inline PatternWords words_of(ConnectionPattern pattern) {
  if (pattern == ConnectionPattern::displaced) {
    return {"duplicate_identity",
            "the core accepts this satellite and then closes the connection by a code of its own, "
            "again and again: another satellite with the same id is the usual cause, so give each "
            "its own; the next attempt is in some minutes"};
  }
  return {"connection_unstable",
          "the core accepts this satellite and the connection ends within a minute, again and "
          "again: look for another satellite with the same id, and for what cuts connections on "
          "the way"};
}

}  // namespace satellite::agent
