#include "sandbox/capture/utf8_chunks.hpp"

#include "protocol/vocabulary/utf8.hpp"

#include <algorithm>
#include <utility>

namespace satellite::sandbox {
namespace {

/// A shorter run of text before a broken byte gets no message of its own: binary output would
/// become a great number of tiny messages.
constexpr std::size_t text_size_worth_a_chunk = 1024;
constexpr std::size_t chunk_size_smallest = 4;  // one code point of any kind must fit

}  // namespace

Utf8Chunks::Utf8Chunks(ByteCount chunk_size_max)
    : chunk_size_max_(std::max<std::size_t>(chunk_size_smallest, chunk_size_max.value)) {}

void Utf8Chunks::add(std::string_view bytes) {
  if (held_.empty()) {
    pending_ = bytes;
    behind_ = {};
    return;
  }
  // Only the first chunk is copied to join the held bytes; the rest stays where it is.
  joint_ = std::exchange(held_, {});
  const std::size_t borrowed = std::min(chunk_size_max_ - joint_.size(), bytes.size());
  joint_ += bytes.substr(0, borrowed);
  pending_ = joint_;
  behind_ = bytes.substr(borrowed);
}

void Utf8Chunks::refill_joint() {
  // The cut between the copied and the original bytes may lie inside a code point: up to three
  // bytes have moved on, and the bytes behind them are still in the caller's buffer.
  if (behind_.empty() || pending_.size() >= chunk_size_smallest) return;
  if (pending_.empty()) {
    pending_ = std::exchange(behind_, {});
    return;
  }
  std::string joined(pending_);
  const std::size_t borrowed = std::min(chunk_size_max_ - joined.size(), behind_.size());
  joined += behind_.substr(0, borrowed);
  behind_.remove_prefix(borrowed);
  joint_ = std::move(joined);
  pending_ = joint_;
}

std::optional<OutputChunk> Utf8Chunks::take(std::size_t size, bool is_text) {
  const OutputChunk chunk{pending_.substr(0, size), is_text};
  pending_.remove_prefix(size);
  return chunk;
}

std::optional<OutputChunk> Utf8Chunks::next() {
  refill_joint();
  if (pending_.empty()) return std::nullopt;
  const std::string_view window = pending_.substr(0, chunk_size_max_);
  const std::size_t text_size = valid_utf8_prefix(window);
  if (text_size == window.size()) return take(text_size, true);

  const std::size_t unfinished = unfinished_utf8_tail(window);
  const bool more_may_come = !finished_ || window.size() < pending_.size() || !behind_.empty();
  const std::size_t tail = more_may_come ? unfinished : 0;
  if (text_size > 0 && text_size + tail == window.size()) return take(text_size, true);
  if (text_size >= text_size_worth_a_chunk) return take(text_size, true);
  if (tail == window.size()) {
    held_ = std::string(pending_);
    pending_ = {};
    return std::nullopt;
  }
  return take(window.size() - tail, false);
}

ByteCount Utf8Chunks::finish(Tail tail) {
  finished_ = true;
  if (tail == Tail::discard) return ByteCount{std::exchange(held_, {}).size()};
  joint_ = std::exchange(held_, {});
  pending_ = joint_;
  behind_ = {};
  return ByteCount{};
}

}  // namespace satellite::sandbox
