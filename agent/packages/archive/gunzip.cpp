#include "agent/packages/archive/gunzip.hpp"

#include <zlib.h>

#include <array>
#include <new>
#include <utility>

namespace satellite::agent {
namespace {

constexpr int only_gzip = 16;  // added to the size of the window: zlib.h, inflateInit2
constexpr std::size_t piece_size = 64U << 10U;

}  // namespace

struct Gunzip::State {
  State(ByteCount size_max_, Take take_) : size_max(size_max_), take(std::move(take_)) {
    if (::inflateInit2(&stream, MAX_WBITS + only_gzip) != Z_OK) throw std::bad_alloc();
  }
  ~State() { ::inflateEnd(&stream); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  ByteCount size_max;
  Take take;
  z_stream stream{};
  std::array<unsigned char, piece_size> piece;
  ByteCount size;
  bool ended = false;
};

Gunzip::Gunzip(ByteCount size_max, Take take)
    : state_(std::make_unique<State>(size_max, std::move(take))) {}

Gunzip::~Gunzip() = default;

Result<void> Gunzip::feed(std::string_view bytes) {
  State& state = *state_;
  // zlib reads it only; its type without const is older than the word.
  state.stream.next_in =
      const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
  state.stream.avail_in = static_cast<uInt>(bytes.size());
  do {
    if (state.ended) {
      if (state.stream.avail_in == 0) return {};
      return Error{ErrorCode::invalid_input, "bytes behind the end of the gzip data"};
    }
    state.stream.next_out = state.piece.data();
    state.stream.avail_out = piece_size;
    const int verdict = ::inflate(&state.stream, Z_NO_FLUSH);
    if (verdict != Z_OK && verdict != Z_STREAM_END && verdict != Z_BUF_ERROR) {
      return Error{ErrorCode::invalid_input, "the gzip data are damaged or none"};
    }
    const std::size_t made = piece_size - state.stream.avail_out;
    state.size += ByteCount{made};
    if (state.size > state.size_max) {
      return Error{ErrorCode::limit_exceeded, "more content than a package may have"};
    }
    if (made > 0) {
      const auto taken = state.take({reinterpret_cast<const char*>(state.piece.data()), made});
      if (!taken) return taken.error();
    }
    state.ended = verdict == Z_STREAM_END;
    // Full pieces may hide more output without any further input.
  } while (state.ended || state.stream.avail_in > 0 || state.stream.avail_out == 0);
  return {};
}

Result<void> Gunzip::finish() const {
  if (!state_->ended) return Error{ErrorCode::invalid_input, "the gzip data have no end"};
  return {};
}

}  // namespace satellite::agent
