#include "protocol/run_stream.hpp"

#include "protocol/encode.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

// Messages are kept as values and encoded when they are handed out: a frame can be six times its
// bytes, and most are handed out once.

namespace satellite::protocol {

using namespace satellite::byte_literals;

namespace {

/// Where to cut `bytes` so that at most `size_max` go first: before a code point, if one is cut.
std::size_t cut_position(std::string_view bytes, std::size_t size_max) {
  if (bytes.size() <= size_max) return bytes.size();
  constexpr std::size_t continuations_max = 3;
  for (std::size_t back = 0; back <= continuations_max && back < size_max; ++back) {
    const auto next = static_cast<unsigned char>(bytes[size_max - back]);
    if ((next & 0xC0U) != 0x80U) return size_max - back;
  }
  return size_max;
}

}  // namespace

RunStream::RunStream(RunId run_id, RunStreamBounds bounds)
    : run_id_(std::move(run_id)), bounds_(bounds) {}

RunStream::RunStream(RunId run_id, RunStreamBounds bounds, std::vector<NumberedFrame> frames)
    : run_id_(std::move(run_id)), bounds_(bounds), finished_(true) {
  if (!frames.empty()) seq_first_ = frames.front().seq;
  for (NumberedFrame& frame : frames) {
    assert(frame.seq >= seq_end());
    while (seq_end() < frame.seq) messages_.emplace_back(Made{});
    kept_output_ += ByteCount{frame.frame.size()};
    messages_.emplace_back(Made{std::move(frame.frame)});
  }
  // An earlier process may have sent all of them, so the core may acknowledge any.
  seq_next_ = seq_first_;
  seq_sent_end_ = stored_end_ = seq_end();
}

void RunStream::started(ScriptStarted message) {
  assert(seq_end() == 0);
  message.run_id = run_id_;
  message.seq = seq_end();
  messages_.emplace_back(std::make_unique<ScriptStarted>(std::move(message)));
}

void RunStream::output(OutputStream stream, std::string bytes) {
  assert(!finished_);
  constexpr std::size_t size_max = limits::output_chunk_size_max.value;
  while (bytes.size() > size_max) {
    const std::size_t cut = cut_position(bytes, size_max);
    append_chunk(stream, bytes.substr(0, cut));
    bytes.erase(0, cut);
  }
  if (!bytes.empty()) append_chunk(stream, std::move(bytes));
}

void RunStream::append_chunk(OutputStream stream, std::string bytes) {
  const std::size_t size = bytes.size();
  std::uint64_t& offset = offsets_[stream == OutputStream::standard_output ? 0 : 1];
  const bool last_is_unsent = seq_end() > std::max({seq_sent_end_, seq_first_, stored_end_});
  Chunk* last = last_is_unsent ? std::get_if<Chunk>(&messages_.back()) : nullptr;
  if (last != nullptr && last->stream == stream &&
      last->bytes.size() + size <= limits::output_chunk_size_max.value) {
    last->bytes += bytes;
  } else {
    messages_.emplace_back(Chunk{stream, offset, std::move(bytes)});
  }
  offset += size;
  kept_output_ += ByteCount{size};
}

void RunStream::finished(ScriptFinished message) {
  assert(!finished_);
  message.run_id = run_id_;
  message.seq = seq_end();
  messages_.emplace_back(std::make_unique<ScriptFinished>(std::move(message)));
  finished_ = true;
}

ByteCount RunStream::output_size_of(const Message& message) {
  if (const auto* made = std::get_if<Made>(&message)) return ByteCount{made->frame.size()};
  const Chunk* chunk = std::get_if<Chunk>(&message);
  return chunk == nullptr ? ByteCount{0} : ByteCount{chunk->bytes.size()};
}

std::string RunStream::encoded(std::uint64_t seq) const {
  const Message& message = messages_[seq - seq_first_];
  if (const Chunk* chunk = std::get_if<Chunk>(&message)) {
    return encode(ScriptOutputView{run_id_.text, seq, chunk->stream, chunk->offset, chunk->bytes});
  }
  if (const auto* start = std::get_if<std::unique_ptr<ScriptStarted>>(&message)) {
    return encode(**start);
  }
  if (const auto* made = std::get_if<Made>(&message)) return made->frame;
  return encode(*std::get<std::unique_ptr<ScriptFinished>>(message));
}

std::vector<NumberedFrame> RunStream::take_unstored(std::uint64_t end) {
  std::vector<NumberedFrame> frames;
  const std::uint64_t last = std::min(end, seq_end());
  for (std::uint64_t seq = std::max(stored_end_, seq_first_); seq < last; ++seq) {
    frames.push_back({seq, encoded(seq)});
  }
  stored_end_ = std::max(stored_end_, last);
  return frames;
}

std::optional<std::string> RunStream::next_to_send() {
  const auto is_lost = [this] {
    const auto* made = std::get_if<Made>(&messages_[seq_next_ - seq_first_]);
    return made != nullptr && made->frame.empty();
  };
  while (connected_ && seq_next_ < seq_end() && is_lost()) ++seq_next_;
  if (!connected_ || seq_next_ == seq_end() || seq_next_ >= send_bound_) return std::nullopt;
  if (end_held_ && finished_ && seq_next_ + 1 == seq_end()) return std::nullopt;
  const Message& message = messages_[seq_next_ - seq_first_];
  const ByteCount size = output_size_of(message);
  // A single chunk always fits, or a window below the chunk size would stop the run for ever.
  if (in_flight_ > 0_B && in_flight_ + size > bounds_.window) return std::nullopt;
  std::string frame = encoded(seq_next_);
  in_flight_ += size;
  ++seq_next_;
  seq_sent_end_ = std::max(seq_sent_end_, seq_next_);
  return frame;
}

Result<ByteCount> RunStream::acknowledge(std::uint64_t seq) {
  if (seq >= seq_sent_end_) {
    return Error{ErrorCode::invalid_input, "seq " + std::to_string(seq) +
                                               " is acknowledged, but only " +
                                               std::to_string(seq_sent_end_) + " were sent"};
  }
  ByteCount freed;
  while (seq_first_ <= seq) {
    const ByteCount size = output_size_of(messages_.front());
    // Sent on an earlier connection and not yet again on this one: kept, but not in flight.
    if (seq_first_ < seq_next_) freed += size;
    kept_output_ -= size;
    messages_.pop_front();
    ++seq_first_;
  }
  seq_next_ = std::max(seq_next_, seq_first_);
  in_flight_ -= freed;
  return freed;
}

void RunStream::send_again() {
  seq_next_ = seq_first_;
  in_flight_ = ByteCount{0};
}

void RunStream::connection_lost() {
  connected_ = false;
  send_again();
}

void RunStream::connection_restored() {
  connected_ = true;
}

ByteCount RunStream::kept() const {
  return kept_output_ + messages_.size() * ByteCount{sizeof(Message)};
}

ByteCount RunStream::room() const {
  const ByteCount bound = connected_ ? bounds_.window : bounds_.kept_while_away_max;
  return kept() < bound ? bound - kept() : ByteCount{0};
}

}  // namespace satellite::protocol
