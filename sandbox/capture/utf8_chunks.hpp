#pragma once

#include "protocol/vocabulary/byte_count.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace satellite::sandbox {

/// A piece of one output stream, ready for a message.
struct OutputChunk {
  std::string_view bytes;
  bool is_text = false;  ///< valid UTF-8; otherwise it has to travel as base64
};

/// Cuts one output stream into chunks of bounded size, on code points where it is text.
///
/// Shape:  add() what was read, then take next() until it is empty; each view lives until the next
///         call. At most three bytes are held back: a code point that is not finished. Text is
///         handed on without copying.
class Utf8Chunks {
 public:
  explicit Utf8Chunks(ByteCount chunk_size_max);

  /// `bytes` must stay where they are until next() has returned nothing.
  void add(std::string_view bytes);
  std::optional<OutputChunk> next();

  /// What to do at the end with a code point that never got finished: its bytes are data when the
  /// script ended there, and a cut of ours when the output cap did.
  enum class Tail { keep, discard };
  /// Returns how many bytes were discarded; then next() has the rest.
  ByteCount finish(Tail tail);

 private:
  std::optional<OutputChunk> take(std::size_t size, bool is_text);
  void refill_joint();

  std::size_t chunk_size_max_;
  std::string_view pending_;  ///< not yet handed out, in the caller's buffer or in joint_
  std::string_view behind_;   ///< the caller's bytes that follow joint_
  std::string joint_;         ///< a held code point and what came after it, made contiguous
  std::string held_;
  bool finished_ = false;
};

}  // namespace satellite::sandbox
