#include "agent/outbound/outbox.hpp"

#include "protocol/encode.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <utility>

namespace satellite::agent {
namespace {

// Of what dies with the connection, should the core read nothing: the oldest go first.
constexpr std::size_t for_this_connection_max = 4'096;

Lane lane_of(const protocol::AgentMessage& message) {
  return std::holds_alternative<protocol::CheckResult>(message) ? Lane::results : Lane::control;
}

}  // namespace

Outbox::Outbox(boost::asio::io_context& context, Store& store, Settings settings)
    : changed_(context),
      room_(context),
      kept_(context, store, settings, changed_),
      streams_(context, store, changed_) {
  store.listen({[](const StoreSnapshot&) {},
                [this](StoreFault fault, const std::string&) {
                  if (fault == StoreFault::none) streams_.store_again();
                  if (fault == StoreFault::hanging) streams_.go_on_without_disk();
                }});
}

void Outbox::push(const protocol::AgentMessage& message) {
  kept_.push(protocol::encode(message), lane_of(message));
}

void Outbox::push_for_this_connection(const protocol::AgentMessage& message) {
  if (!connected_) return;
  if (for_this_connection_.size() >= for_this_connection_max) for_this_connection_.pop_front();
  for_this_connection_.push_back(protocol::encode(message));
  changed_.notify_all();
}

void Outbox::push_once(const protocol::AgentMessage& message) {
  if (once_.size() >= for_this_connection_max) once_.pop_front();
  once_.push_back(protocol::encode(message));
  changed_.notify_all();
}

protocol::RunStream& Outbox::open(const RunId& id, const protocol::RunStreamBounds& bounds) {
  return streams_.open(id, bounds);
}

Result<void> Outbox::acknowledge(const RunId& id, std::uint64_t seq) {
  const auto acknowledged = streams_.acknowledge(id, seq);
  if (!acknowledged) return acknowledged;
  changed_.notify_all();
  room_.notify_all();
  return {};
}

void Outbox::send_again(const RunId& id) {
  streams_.send_again(id);
  changed_.notify_all();
}

std::optional<Outbox::Outgoing> Outbox::next() {
  if (!connected_) return std::nullopt;
  for (auto* const queue : {&for_this_connection_, &once_}) {
    if (queue->empty()) continue;
    Outgoing outgoing{std::move(queue->front()), std::nullopt};
    queue->pop_front();
    return outgoing;
  }
  if (auto outgoing = next_kept(DeliveryQueue::Urgency::control)) return outgoing;
  // Checks that say more than a slow link carries must not keep runs from saying anything.
  if (std::exchange(last_was_live_, false)) {
    if (auto outgoing = next_of_runs()) return outgoing;
  }
  if (auto outgoing = next_kept(DeliveryQueue::Urgency::live)) {
    last_was_live_ = true;
    return outgoing;
  }
  Turn turns[] = {&Outbox::next_of_runs, &Outbox::next_replay};
  if (replays_next_) std::swap(turns[0], turns[1]);
  for (const Turn turn : turns) {
    if (auto outgoing = (this->*turn)()) return outgoing;
  }
  kept_.arm_pace();
  return std::nullopt;
}

std::optional<Outbox::Outgoing> Outbox::next_kept(DeliveryQueue::Urgency urgency) {
  auto kept = kept_.next(urgency);
  if (!kept) return std::nullopt;
  return Outgoing{std::move(kept->frame), kept->seq};
}

std::optional<Outbox::Outgoing> Outbox::next_of_runs() {
  auto frame = script_dispatch_ ? streams_.next() : std::nullopt;
  if (!frame) return std::nullopt;
  replays_next_ = true;
  return Outgoing{*std::move(frame), std::nullopt};
}

std::optional<Outbox::Outgoing> Outbox::next_replay() {
  // Who stops does not wait for what the next process finds on disk.
  if (draining_ && kept_.queue().all_stored()) return std::nullopt;
  auto outgoing = next_kept(DeliveryQueue::Urgency::replay);
  if (outgoing) replays_next_ = false;
  return outgoing;
}

void Outbox::sent(std::optional<std::uint64_t> kept_as) {
  if (kept_as) kept_.sent(*kept_as);
}

void Outbox::not_sent(std::optional<std::uint64_t> kept_as) {
  if (kept_as) kept_.not_sent(*kept_as);
}

void Outbox::connection_up(Extensions extensions) {
  connected_ = true;
  script_dispatch_ = extensions.script_dispatch;
  kept_.connection_up(extensions.result_ack);
  streams_.hold_starts(extensions.ordered_frames);
  if (script_dispatch_) streams_.connection_up();
  changed_.notify_all();
  room_.notify_all();
}

void Outbox::connection_lost() {
  connected_ = false;
  script_dispatch_ = false;
  for_this_connection_.clear();
  kept_.connection_lost();
  streams_.connection_lost();
  streams_.hold_starts(false);
  // What is kept while the core is away has another bound, so writers look again.
  room_.notify_all();
}

void Outbox::drain() {
  draining_ = true;
  streams_.drain();
  room_.notify_all();
}

bool Outbox::empty() {
  return for_this_connection_.empty() && once_.empty() && kept_.flushed() && streams_.size() == 0;
}

}  // namespace satellite::agent
