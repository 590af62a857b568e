#include "agent/outbound/run_streams.hpp"

#include "protocol/vocabulary/limits.hpp"

#include <iterator>
#include <utility>

namespace satellite::agent {
namespace {

// Ended runs nobody acknowledges: small each, since their output is bounded by the windows.
constexpr std::size_t streams_max = 1'024;

}  // namespace

protocol::RunStream& RunStreams::open(const RunId& id, const protocol::RunStreamBounds& bounds) {
  if (streams_.size() >= streams_max) forget_oldest_ended();
  streams_.emplace_back(id, bounds);
  if (!connected_) streams_.back().connection_lost();
  by_id_[id] = std::prev(streams_.end());
  return streams_.back();
}

protocol::RunStream* RunStreams::find(const RunId& id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &*found->second;
}

Result<void> RunStreams::acknowledge(const RunId& id, std::uint64_t seq) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) {
    return Error{ErrorCode::not_found, "acknowledgement for a run that has nothing to send"};
  }
  const auto freed = found->second->acknowledge(seq);
  if (!freed) return freed.error();
  in_flight_ -= *freed;
  if (found->second->complete()) {
    streams_.erase(found->second);
    by_id_.erase(found);
  }
  return {};
}

void RunStreams::send_again(const RunId& id) {
  protocol::RunStream* const stream = find(id);
  if (stream == nullptr) return;
  in_flight_ -= stream->in_flight();
  stream->send_again();
}

std::optional<std::string> RunStreams::next() {
  if (!connected_ || in_flight_ >= limits::output_window_per_connection) return std::nullopt;
  for (auto it = streams_.begin(); it != streams_.end(); ++it) {
    const ByteCount before = it->in_flight();
    auto frame = it->next_to_send();
    if (!frame) continue;
    in_flight_ += it->in_flight() - before;
    // A run that was served waits behind all others.
    streams_.splice(streams_.end(), streams_, it);
    return frame;
  }
  return std::nullopt;
}

void RunStreams::connection_up() {
  connected_ = true;
  in_flight_ = ByteCount{};
  for (auto& stream : streams_) stream.connection_restored();
}

void RunStreams::connection_lost() {
  connected_ = false;
  in_flight_ = ByteCount{};
  for (auto& stream : streams_) stream.connection_lost();
}

void RunStreams::forget_oldest_ended() {
  for (auto it = streams_.begin(); it != streams_.end(); ++it) {
    if (!it->ended()) continue;
    in_flight_ -= it->in_flight();
    by_id_.erase(it->run_id());
    streams_.erase(it);
    ++forgotten_;
    return;
  }
}

}  // namespace satellite::agent
