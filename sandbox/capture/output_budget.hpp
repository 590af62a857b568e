#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "sandbox/report/outcome.hpp"

#include <array>
#include <optional>
#include <string_view>

namespace satellite::sandbox {

/// The one cap that both output streams of a run share, in arrival order.
///
/// Shape:  admit() returns the part that still fits, cut on a code point; the first byte that does
///         not fit closes the budget for both streams, and from then on bytes are only counted.
/// Units:  bytes after masking. `delivered` counts what admit() returned, `dropped` all else.
/// Source: dispatch-extension "Cap".
class OutputBudget {
 public:
  explicit OutputBudget(std::optional<ByteCount> size_max) : size_max_(size_max) {}

  std::string_view admit(OutputStream stream, std::string_view bytes);
  /// Bytes that never came to admit(): drained from the pipe, or a code point our cut left behind.
  void count_dropped(ByteCount count) { dropped_ += count; }
  /// Takes back bytes that admit() returned and that were not delivered after all.
  void take_back(OutputStream stream, ByteCount count);

  bool closed() const { return closed_; }
  ByteCount delivered(OutputStream stream) const { return delivered_[index_of(stream)]; }
  ByteCount dropped() const { return dropped_; }

 private:
  static std::size_t index_of(OutputStream stream) {
    return stream == OutputStream::standard_output ? 0 : 1;
  }

  std::optional<ByteCount> size_max_;
  std::array<ByteCount, 2> delivered_{};
  ByteCount dropped_;
  bool closed_ = false;
};

}  // namespace satellite::sandbox
