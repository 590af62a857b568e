#include "agent/outbound/outbox.hpp"

#include "protocol/encode.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <utility>

namespace satellite::agent {
namespace {

// A core that reads nothing must not make us keep answers for ever; the oldest go first.
constexpr std::size_t messages_max = 4'096;
// And they may be large: one result of a check fills up to a frame.
constexpr ByteCount messages_size_max{64U << 20U};
// Ended runs nobody acknowledges: small each, since their output is bounded by the windows.
constexpr std::size_t streams_max = 1'024;

}  // namespace

Outbox::Outbox(boost::asio::io_context& context) : changed_(context), room_(context) {}

void Outbox::push_frame(std::string frame, bool this_connection_only) {
  const ByteCount size{frame.size()};
  while (!messages_.empty() &&
         (messages_.size() >= messages_max || messages_size_ + size > messages_size_max)) {
    messages_size_ -= ByteCount{messages_.front().frame.size()};
    messages_.pop_front();
    ++dropped_messages_;
  }
  messages_size_ += size;
  messages_.push_back(WaitingMessage{std::move(frame), this_connection_only});
  changed_.notify_all();
}

void Outbox::push(const protocol::AgentMessage& message) {
  push_frame(protocol::encode(message), false);
}

void Outbox::push_for_this_connection(const protocol::AgentMessage& message) {
  if (connected_) push_frame(protocol::encode(message), true);
}

void Outbox::put_back(Outgoing outgoing) {
  if (!outgoing.returns()) return;
  messages_size_ += ByteCount{outgoing.frame.size()};
  messages_.push_front(WaitingMessage{std::move(outgoing.frame), false});
}

protocol::RunStream& Outbox::open(const RunId& id, const protocol::RunStreamBounds& bounds) {
  if (streams_.size() >= streams_max) forget_oldest_ended();
  streams_.emplace_back(id, bounds);
  if (!connected_ || !script_dispatch_) streams_.back().connection_lost();
  by_id_[id] = std::prev(streams_.end());
  return streams_.back();
}

protocol::RunStream* Outbox::find(const RunId& id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &*found->second;
}

Result<void> Outbox::acknowledge(const RunId& id, std::uint64_t seq) {
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
  changed_.notify_all();
  room_.notify_all();
  return {};
}

void Outbox::send_again(const RunId& id) {
  protocol::RunStream* const stream = find(id);
  if (stream == nullptr) return;
  in_flight_ -= stream->in_flight();
  stream->send_again();
  changed_.notify_all();
}

std::optional<Outbox::Outgoing> Outbox::next() {
  if (!connected_) return std::nullopt;
  if (!messages_.empty()) {
    messages_size_ -= ByteCount{messages_.front().frame.size()};
    Outgoing outgoing{std::move(messages_.front().frame), false,
                      messages_.front().this_connection_only};
    messages_.pop_front();
    return outgoing;
  }
  return script_dispatch_ ? next_of_runs() : std::nullopt;
}

std::optional<Outbox::Outgoing> Outbox::next_of_runs() {
  if (in_flight_ >= limits::output_window_per_connection) return std::nullopt;
  for (auto it = streams_.begin(); it != streams_.end(); ++it) {
    const ByteCount before = it->in_flight();
    auto frame = it->next_to_send();
    if (!frame) continue;
    in_flight_ += it->in_flight() - before;
    // A run that was served waits behind all others.
    streams_.splice(streams_.end(), streams_, it);
    return Outgoing{*std::move(frame), true, false};
  }
  return std::nullopt;
}

void Outbox::connection_up(bool script_dispatch) {
  connected_ = true;
  script_dispatch_ = script_dispatch;
  in_flight_ = ByteCount{};
  if (script_dispatch) {
    for (auto& stream : streams_) stream.connection_restored();
  }
  changed_.notify_all();
  room_.notify_all();
}

void Outbox::connection_lost() {
  connected_ = false;
  script_dispatch_ = false;
  in_flight_ = ByteCount{};
  std::erase_if(messages_,
                [](const WaitingMessage& message) { return message.this_connection_only; });
  messages_size_ = ByteCount{};
  for (const WaitingMessage& message : messages_) messages_size_ += ByteCount{message.frame.size()};
  for (auto& stream : streams_) stream.connection_lost();
  // What is kept while the core is away has another bound, so writers look again.
  room_.notify_all();
}

void Outbox::drain() {
  draining_ = true;
  room_.notify_all();
}

bool Outbox::has_ample_room() const {
  return messages_.size() < messages_max / 2 &&
         messages_size_ < ByteCount{messages_size_max.value / 2};
}

bool Outbox::empty() const {
  return messages_.empty() && streams_.empty();
}

void Outbox::forget_oldest_ended() {
  for (auto it = streams_.begin(); it != streams_.end(); ++it) {
    if (!it->ended()) continue;
    in_flight_ -= it->in_flight();
    by_id_.erase(it->run_id());
    streams_.erase(it);
    ++forgotten_runs_;
    return;
  }
}

}  // namespace satellite::agent
