#include "agent/outbound/run_streams.hpp"

#include "protocol/vocabulary/limits.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace satellite::agent {
namespace {

using namespace std::chrono_literals;
using protocol::NumberedFrame;
using protocol::RunStream;

// Ended runs nobody acknowledges and no disk takes: small each, since their output is bounded by
// the windows.
constexpr std::size_t streams_max = 1'024;
// Of earlier runs in memory at a time, while they are sent.
constexpr std::size_t loaded_max = 4;
constexpr auto tick_every = 1s;
// Longer than a short script takes from its start to its end on disk, and no longer than anybody
// who watches a long one would notice.
constexpr auto held_at_start = 4ms;
// Numbers that may be sent before the disk hears of further ones; asked for when half are used.
constexpr std::uint64_t bound_first = 64, bound_step = 1'024;

PutRunMessages as_change(const RunId& id, std::vector<NumberedFrame> frames) {
  PutRunMessages change{id, {}};
  change.messages.reserve(frames.size());
  for (NumberedFrame& frame : frames) {
    change.messages.push_back({frame.seq, std::move(frame.frame)});
  }
  return change;
}

}  // namespace

RunStreams::RunStreams(boost::asio::io_context& context, Store& store, Notification& changed)
    : store_(store), changed_(changed), tick_(context), hold_(context) {}

RunStreams::Entry* RunStreams::entry(const RunId& id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &*found->second;
}

protocol::RunStream* RunStreams::find(const RunId& id) {
  Entry* const found = entry(id);
  return found == nullptr ? nullptr : &found->stream;
}

RunStreams::Entry& RunStreams::add(const RunId& id, RunStream stream) {
  if (streams_.size() >= streams_max) forget_oldest_ended();
  streams_.emplace_back(std::move(stream));
  if (!connected_) streams_.back().stream.connection_lost();
  by_id_[id] = std::prev(streams_.end());
  return streams_.back();
}

RunStream& RunStreams::open(const RunId& id, const protocol::RunStreamBounds& bounds) {
  Entry& opened = add(id, RunStream(id, bounds));
  opened.stream.set_send_bound(0);
  opened.stream.hold_end();
  raise_bound(opened);
  return opened.stream;
}

void RunStreams::raise_bound(Entry& entry) {
  if (entry.asks_for_bound) return;
  entry.asks_for_bound = true;
  const std::uint64_t bound =
      entry.stream.send_bound() == 0 ? bound_first : entry.stream.next_seq() + bound_step;
  store_.write(RaiseSeqBound{entry.stream.run_id(), bound},
               [this, id = entry.stream.run_id(), bound](bool) {
                 // Without a disk there is no later process that had to know.
                 Entry* const raised = this->entry(id);
                 if (raised == nullptr) return;
                 raised->asks_for_bound = false;
                 raised->stream.set_send_bound(std::max(bound, raised->stream.send_bound()));
                 changed_.notify_all();
               });
}

void RunStreams::stream_changed(const RunId& id) {
  Entry* const changed = entry(id);
  if (changed != nullptr) {
    RunStream& stream = changed->stream;
    const std::uint64_t bound = stream.send_bound();
    const std::uint64_t spare = std::min(bound / 2, bound_step / 2);
    if (bound != 0 && stream.next_seq() + spare > bound) raise_bound(*changed);
  }
  arm_tick();
  if (changed != nullptr && holds_starts_ && !changed->was_held) return hold(*changed);
  changed_.notify_all();
}

void RunStreams::hold(Entry& entry) {
  entry.was_held = true;
  entry.held_until = Clock::now() + held_at_start;
  if (!waits_to_let_go_) let_go_when_due();
}

/// All held ones are let go after the same time, so the first of them was held first.
void RunStreams::let_go_when_due() {
  const auto now = Clock::now();
  std::optional<Clock::time_point> first;
  for (Entry& one : streams_) {
    if (one.held_until && *one.held_until <= now) {
      one.held_until.reset();
      changed_.notify_all();
    } else if (one.held_until && (!first || *one.held_until < *first)) {
      first = one.held_until;
    }
  }
  waits_to_let_go_ = first.has_value();
  if (!first) return;
  hold_.expires_at(*first);
  hold_.async_wait([this](const boost::system::error_code& failure) {
    if (!failure) let_go_when_due();
  });
}

void RunStreams::finished(const RunId& id, std::string frame) {
  Entry* const ended = entry(id);
  if (ended == nullptr) return;
  ended->end = std::move(frame);
  store_end(*ended);
  stream_changed(id);
}

/// With all that the core may lack, in one go: an end without its output would be a loss.
void RunStreams::store_end(Entry& entry) {
  RunStream& stream = entry.stream;
  store_unstored(entry, stream.next_seq() - 1);
  stream.take_unstored(stream.next_seq());  // the end itself, which has a place of its own
  const RunId id = stream.run_id();
  store_.write(FinishRun{id, stream.next_seq() - 1, entry.end},
               [this, id](bool done) { end_stored(id, done); });
}

void RunStreams::end_stored(const RunId& id, bool done) {
  Entry* const ended = entry(id);
  if (ended == nullptr) return;
  ended->end_stored = done;
  if (done) ended->end = std::string();
  // Who has no disk says what happened all the same.
  ended->stream.release_end();
  ended->held_until.reset();
  if (!connected_) park_ended();
  changed_.notify_all();
}

void RunStreams::store_unstored(Entry& entry, std::uint64_t end) {
  auto frames = entry.stream.take_unstored(end);
  if (frames.empty()) return;
  store_.write(as_change(entry.stream.run_id(), std::move(frames)));
}

void RunStreams::park(const RunId& id) {
  parked_.push_back(id);
  load_parked();
}

bool RunStreams::is_parked(const RunId& id) const {
  return loading_.count(id) == 1 || std::find(parked_.begin(), parked_.end(), id) != parked_.end();
}

void RunStreams::park_ended() {
  for (auto it = streams_.begin(); it != streams_.end();) {
    if (!it->end_stored || !it->stream.ended()) {
      ++it;
      continue;
    }
    const RunId id = it->stream.run_id();
    by_id_.erase(id);
    it = streams_.erase(it);
    parked_.push_back(id);
  }
}

void RunStreams::load_parked() {
  if (!connected_ || draining_ || store_.fault() != StoreFault::none) return;
  std::size_t loaded = loading_.size();
  for (const Entry& one : streams_) loaded += one.end_stored ? 1U : 0U;
  while (loaded < loaded_max && !parked_.empty()) {
    const RunId id = std::move(parked_.front());
    parked_.pop_front();
    if (!loading_.insert(id).second) continue;
    ++loaded;
    store_.read_run(id, [this, id](StoredRunStream stored) {
      loading_.erase(id);
      this->loaded(id, std::move(stored));
    });
  }
}

void RunStreams::loaded(const RunId& id, StoredRunStream stored) {
  if (stored.finished_frame.empty()) {
    // A disk that fails is asked again; one that works and has no end of it never will have.
    if (store_.fault() != StoreFault::none) return parked_.push_front(id);
    ++forgotten_;
    store_.write(DeliverRun{id, time_.now()});
    return load_parked();
  }
  if (!connected_) return parked_.push_front(id);
  std::vector<NumberedFrame> frames;
  for (StoredRunMessage& message : stored.messages) {
    frames.push_back({message.seq, std::move(message.bytes)});
  }
  const std::uint64_t after = frames.empty() ? 0 : frames.back().seq + 1;
  frames.push_back({std::max(after, stored.end_seq), std::move(stored.finished_frame)});
  Entry& again = add(id, RunStream(id, {}, std::move(frames)));
  again.end_stored = true;
  changed_.notify_all();
}

Result<void> RunStreams::acknowledge(const RunId& id, std::uint64_t seq) {
  Entry* const found = entry(id);
  if (found == nullptr) {
    return Error{ErrorCode::not_found, "acknowledgement for a run that has nothing to send"};
  }
  const auto freed = found->stream.acknowledge(seq);
  if (!freed) return freed.error();
  in_flight_ -= *freed;
  if (found->stream.complete()) {
    store_.write(DeliverRun{id, time_.now()});
    remove(id);
    load_parked();
  }
  return {};
}

void RunStreams::remove(const RunId& id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  streams_.erase(found->second);
  by_id_.erase(found);
}

void RunStreams::send_again(const RunId& id) {
  RunStream* const stream = find(id);
  if (stream == nullptr) return;
  in_flight_ -= stream->in_flight();
  stream->send_again();
}

std::optional<std::string> RunStreams::next() {
  if (!connected_ || in_flight_ >= limits::output_window_per_connection) return std::nullopt;
  for (auto it = streams_.begin(); it != streams_.end(); ++it) {
    if (it->held_until) continue;
    const ByteCount before = it->stream.in_flight();
    auto frame = it->stream.next_to_send();
    if (!frame) continue;
    in_flight_ += it->stream.in_flight() - before;
    // A run that was served waits behind all others.
    streams_.splice(streams_.end(), streams_, it);
    return frame;
  }
  return std::nullopt;
}

void RunStreams::connection_up() {
  connected_ = true;
  in_flight_ = ByteCount{};
  for (Entry& one : streams_) one.stream.connection_restored();
  load_parked();
}

void RunStreams::connection_lost() {
  connected_ = false;
  in_flight_ = ByteCount{};
  for (Entry& one : streams_) {
    one.stream.connection_lost();
    one.held_until.reset();
  }
  park_ended();
}

void RunStreams::store_again() {
  for (Entry& one : streams_) {
    if (one.end_stored) continue;
    one.stream.forget_stored();
    store_.write(AcceptRun{one.stream.run_id(), time_.now(), one.stream.send_bound()});
    if (one.stream.ended() && !one.end.empty()) store_end(one);
  }
  arm_tick();
  load_parked();
}

void RunStreams::go_on_without_disk() {
  for (Entry& one : streams_) {
    if (one.asks_for_bound) one.stream.set_send_bound(one.stream.next_seq() + bound_step);
    one.asks_for_bound = false;
    one.stream.release_end();
    one.held_until.reset();
  }
  changed_.notify_all();
}

void RunStreams::arm_tick() {
  if (ticks_) return;
  ticks_ = true;
  tick_.expires_after(tick_every);
  tick_.async_wait([this](const boost::system::error_code& failure) {
    ticks_ = false;
    if (!failure) tick();
  });
}

/// What was there at the last tick and still is has waited for the core too long to be in memory
/// alone.
void RunStreams::tick() {
  bool is_needed = false;
  const bool has_disk = store_.fault() == StoreFault::none;
  for (Entry& one : streams_) {
    if (has_disk) store_unstored(one, one.tick_end);
    one.tick_end = one.stream.next_seq();
    const std::uint64_t unacknowledged =
        std::min(one.stream.first_unacknowledged(), one.stream.stored_end());
    if (has_disk && unacknowledged > one.removed_end) {
      store_.write(RemoveRunMessages{one.stream.run_id(), unacknowledged - 1});
      one.removed_end = unacknowledged;
    }
    is_needed = is_needed || (!one.end_stored && one.stream.stored_end() < one.tick_end);
  }
  if (is_needed && has_disk) arm_tick();
}

void RunStreams::forget_oldest_ended() {
  for (auto it = streams_.begin(); it != streams_.end(); ++it) {
    if (!it->stream.ended()) continue;
    in_flight_ -= it->stream.in_flight();
    by_id_.erase(it->stream.run_id());
    streams_.erase(it);
    ++forgotten_;
    return;
  }
}

}  // namespace satellite::agent
