#pragma once

#include "sandbox/capture/secret_patterns.hpp"

#include <limits>
#include <string>
#include <string_view>

namespace satellite::sandbox {

/// What stands where a secret stood.
inline constexpr std::string_view mask_text = "****";

/// Hides the secrets of one run in one of its output streams, also where a read cuts them in two.
///
/// Shape:  feed() returns what may go on: a view of `bytes` itself when there is nothing to hide,
///         else of a buffer of ours; valid until the next call. Only a tail that could be the start
///         of a secret is held back, never more than SecretPatterns::match_size_max. Overlapping
///         matches become one mask, so no rest of a secret shows beside it. What comes out does not
///         depend on how the bytes were divided between calls. With a bound for the work of a turn
///         a call may end early: see paused(). Where a secret was made so that one place takes too
///         long (place_work_max), all that follows is one mask.
class Masker {
 public:
  /// `patterns` must outlive the masker; one serves both streams of a run.
  explicit Masker(const SecretPatterns& patterns,
                  std::size_t work_per_turn = std::numeric_limits<std::size_t>::max())
      : patterns_(patterns), work_{0, work_per_turn} {}
  ~Masker();
  Masker(const Masker&) = delete;
  Masker& operator=(const Masker&) = delete;

  std::string_view feed(std::string_view bytes);
  /// The rest, once no more bytes will come.
  std::string_view finish();

  /// The work of this turn is done, and of what was fed some is still to be looked at: by the same
  /// call with nothing more to feed, in the next turn.
  bool paused() const { return paused_; }
  void begin_turn() { work_.done = 0; }
  std::size_t work_done() const { return work_.done; }  ///< in this turn

 private:
  std::string_view masked(std::string_view text, TextEnd end);

  const SecretPatterns& patterns_;
  std::string held_;        ///< seen, and possibly the start of a secret
  std::size_t hidden_ = 0;  ///< how much of held_ a mask that went out already covers
  std::string output_;
  SecretPatterns::Work work_;
  bool paused_ = false, hides_rest_ = false;
};

}  // namespace satellite::sandbox
