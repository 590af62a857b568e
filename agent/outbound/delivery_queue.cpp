#include "agent/outbound/delivery_queue.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <unordered_set>
#include <utility>

namespace satellite::agent {
namespace {

constexpr std::uint64_t no_end = std::numeric_limits<std::uint64_t>::max();
// What is gone stays in its lane until it is at the front, or until there is so much of it.
constexpr std::size_t gone_max = 1'024;

template <typename Entries>
auto at_or_after(Entries& entries, std::uint64_t seq) {
  return std::lower_bound(
      entries.begin(), entries.end(), seq,
      [](const auto& entry, std::uint64_t wanted) { return entry.seq < wanted; });
}

}  // namespace

const DeliveryQueue::Entry* DeliveryQueue::entry(std::uint64_t seq, Lane* lane) const {
  for (const Lane which : {Lane::control, Lane::results}) {
    const LaneQueue& queue = lanes_[static_cast<std::size_t>(which)];
    const auto found = at_or_after(queue.entries, seq);
    if (found == queue.entries.end() || found->seq != seq || found->state == State::gone) continue;
    if (lane != nullptr) *lane = which;
    return &*found;
  }
  return nullptr;
}

DeliveryQueue::Entry* DeliveryQueue::entry(std::uint64_t seq, Lane* lane) {
  return const_cast<Entry*>(std::as_const(*this).entry(seq, lane));
}

void DeliveryQueue::add(const MessageFacts& facts, Stored stored) {
  assert(facts.seq > newest_);
  newest_ = facts.seq;
  LaneQueue& queue = lane(facts.lane);
  queue.entries.push_back({facts.seq, facts.at, facts.size, State::waiting, Stored::yes});
  ++queue.count;
  bytes_ += ByteCount{facts.size};
  note_stored(queue.entries.back(), stored);
}

void DeliveryQueue::note_stored(Entry& entry, Stored stored) {
  const bool was = entry.stored == Stored::yes;
  const bool is = stored == Stored::yes;
  entry.stored = stored;
  if (was == is) return;
  if (is) {
    unstored_bytes_ -= ByteCount{entry.size};
    --unstored_count_;
  } else {
    unstored_bytes_ += ByteCount{entry.size};
    ++unstored_count_;
  }
}

DeliveryQueue::Reconciled DeliveryQueue::restore(const StoreSnapshot& snapshot) {
  Reconciled reconciled;
  std::unordered_set<std::uint64_t> there;
  for (const MessageFacts& facts : snapshot.messages) there.insert(facts.seq);
  for (LaneQueue& queue : lanes_) {
    for (Entry& one : queue.entries) {
      if (one.state == State::gone) continue;
      if (there.count(one.seq) == 1) {
        note_stored(one, Stored::yes);
      } else if (one.stored == Stored::yes) {
        note_stored(one, Stored::no);
      }
    }
  }
  std::deque<Entry> older[2];
  for (const MessageFacts& facts : snapshot.messages) {
    newest_ = std::max(newest_, facts.seq);
    if (entry(facts.seq) != nullptr) continue;
    if (restored_) {
      reconciled.to_remove.push_back(facts.seq);
      continue;
    }
    older[static_cast<std::size_t>(facts.lane)].push_back(
        {facts.seq, facts.at, facts.size, State::waiting, Stored::yes});
    bytes_ += ByteCount{facts.size};
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (older[i].empty()) continue;
    LaneQueue& queue = lanes_[i];
    queue.count += older[i].size();
    std::deque<Entry> merged;
    std::merge(older[i].begin(), older[i].end(), queue.entries.begin(), queue.entries.end(),
               std::back_inserter(merged),
               [](const Entry& a, const Entry& b) { return a.seq < b.seq; });
    queue.entries = std::move(merged);
    queue.next = 1;
  }
  // Also if the disk was read only after the connection was there.
  if (!restored_ && !snapshot.messages.empty()) {
    live_begin_ = std::max(live_begin_, snapshot.messages.back().seq + 1);
  }
  if (!restored_ && snapshot.gap.count > 0) {
    gap_.since = gap_.count == 0 ? snapshot.gap.since : std::min(gap_.since, snapshot.gap.since);
    gap_.until = std::max(gap_.until, snapshot.gap.until);
    gap_.count += snapshot.gap.count;
  }
  restored_ = true;
  reconciled.to_store = unstored();
  return reconciled;
}

void DeliveryQueue::set_stored(std::uint64_t seq, Stored stored) {
  Entry* const found = entry(seq);
  if (found != nullptr) note_stored(*found, stored);
}

DeliveryQueue::Stored DeliveryQueue::stored(std::uint64_t seq) const {
  const Entry* const found = entry(seq);
  return found == nullptr ? Stored::no : found->stored;
}

std::vector<std::uint64_t> DeliveryQueue::unstored() const {
  std::vector<std::uint64_t> seqs;
  if (unstored_count_ == 0) return seqs;
  for (const LaneQueue& queue : lanes_) {
    for (const Entry& one : queue.entries) {
      if (one.state != State::gone && one.stored == Stored::no) seqs.push_back(one.seq);
    }
  }
  std::sort(seqs.begin(), seqs.end());
  return seqs;
}

void DeliveryQueue::lose(std::uint64_t seq) {
  const Entry* const lost = entry(seq);
  if (lost == nullptr) return;
  if (gap_.count == 0) gap_.since = lost->at;
  gap_.since = std::min(gap_.since, lost->at);
  gap_.until = std::max(gap_.until, lost->at);
  ++gap_.count;
  remove(seq);
}

void DeliveryQueue::remove(std::uint64_t seq) {
  Lane which{};
  Entry* const found = entry(seq, &which);
  if (found == nullptr) return;
  land(seq);
  if (found->stored != Stored::no) to_unstore_.push_back(seq);
  note_stored(*found, Stored::yes);
  bytes_ -= ByteCount{found->size};
  found->state = State::gone;
  LaneQueue& queue = lane(which);
  --queue.count;
  while (!queue.entries.empty() && queue.entries.front().state == State::gone) {
    queue.entries.pop_front();
  }
  if (queue.entries.size() > 2 * queue.count + gone_max) {
    std::erase_if(queue.entries, [](const Entry& one) { return one.state == State::gone; });
  }
}

/// It is not in flight any more.
void DeliveryQueue::land(std::uint64_t seq) {
  const auto found = std::find_if(flight_.begin(), flight_.end(),
                                  [seq](const Flight& flight) { return flight.seq == seq; });
  if (found == flight_.end()) return;
  if (found->lane == Lane::results) {
    --flight_results_;
    flight_results_size_ -= ByteCount{found->size};
  }
  flight_.erase(found);
}

std::optional<std::uint64_t> DeliveryQueue::oldest(Victims victims) const {
  for (const Lane which : {Lane::results, Lane::control}) {
    for (const Entry& one : lanes_[static_cast<std::size_t>(which)].entries) {
      // What is being written is on its way, and nobody could take it back.
      if (one.state == State::gone || one.state == State::taken) continue;
      if (victims == Victims::unstored && one.stored == Stored::yes) continue;
      return one.seq;
    }
  }
  return std::nullopt;
}

std::vector<std::uint64_t> DeliveryQueue::enforce(std::int64_t now) {
  std::vector<std::uint64_t> dropped;
  const auto drop = [&](Victims victims) {
    const auto seq = oldest(victims);
    if (!seq) return false;
    lose(*seq);
    dropped.push_back(*seq);
    return true;
  };
  while (size() > bounds_.count_max || bytes_ > bounds_.size_max) {
    if (!drop(Victims::any)) break;
  }
  while (unstored_count_ > bounds_.unstored_count_max ||
         unstored_bytes_ > bounds_.unstored_size_max) {
    if (!drop(Victims::unstored)) break;
  }
  for (LaneQueue& queue : lanes_) {
    while (!queue.entries.empty() && queue.entries.front().state != State::taken &&
           now - queue.entries.front().at > bounds_.age_max.count()) {
      const std::uint64_t seq = queue.entries.front().seq;
      lose(seq);
      dropped.push_back(seq);
    }
  }
  return dropped;
}

bool DeliveryQueue::marker_waits() const {
  return gap_.count > 0 && gap_told_ == 0;
}

std::optional<std::uint64_t> DeliveryQueue::first_waiting(const LaneQueue& queue,
                                                          std::uint64_t& from, std::uint64_t end) {
  auto found = at_or_after(queue.entries, from);
  while (found != queue.entries.end() && found->seq < end && found->state != State::waiting) {
    ++found;
  }
  if (found == queue.entries.end() || found->seq >= end) {
    from = found == queue.entries.end() ? from : found->seq;
    return std::nullopt;
  }
  from = found->seq;
  return found->seq;
}

bool DeliveryQueue::window_is_full() const {
  if (flight_results_ == 0) return false;  // one always fits
  return flight_results_ >= bounds_.window_count || flight_results_size_ >= bounds_.window_size;
}

void DeliveryQueue::refill(Time now) {
  const double rate = bounds_.replay_rate;
  const double burst = std::max(1.0, rate / 10);
  if (refilled_at_) {
    tokens_ += rate * std::chrono::duration<double>(now - *refilled_at_).count();
  } else {
    tokens_ = burst;
  }
  tokens_ = std::min(tokens_, burst);
  refilled_at_ = now;
}

std::optional<std::uint64_t> DeliveryQueue::candidate(Urgency urgency, Time now) {
  if (!connected_) return std::nullopt;
  LaneQueue& results = lane(Lane::results);
  switch (urgency) {
    case Urgency::control:
      if (marker_waits()) return gap_marker;
      return first_waiting(lane(Lane::control), lane(Lane::control).next, no_end);
    case Urgency::live:
      if (window_is_full()) return std::nullopt;
      results.live_next = std::max(results.live_next, live_begin_);
      return first_waiting(results, results.live_next, no_end);
    case Urgency::replay:
      if (window_is_full()) return std::nullopt;
      refill(now);
      if (bounds_.replay_rate != 0 && tokens_ < 1) return std::nullopt;
      return first_waiting(results, results.next, live_begin_);
  }
  return std::nullopt;
}

std::optional<DeliveryQueue::Time> DeliveryQueue::replay_possible_at(Time now) const {
  if (!connected_ || window_is_full() || bounds_.replay_rate == 0 || tokens_ >= 1) {
    return std::nullopt;
  }
  const LaneQueue& results = lanes_[static_cast<std::size_t>(Lane::results)];
  std::uint64_t from = results.next;
  if (!first_waiting(results, from, live_begin_)) return std::nullopt;
  const std::chrono::duration<double> missing((1 - tokens_) / bounds_.replay_rate);
  return now + std::chrono::duration_cast<Time::duration>(missing) + std::chrono::milliseconds(1);
}

std::optional<MessageFacts> DeliveryQueue::find(std::uint64_t seq) const {
  Lane which{};
  const Entry* const found = entry(seq, &which);
  if (found == nullptr) return std::nullopt;
  return MessageFacts{seq, which, found->size, found->at};
}

void DeliveryQueue::take(std::uint64_t seq, Time now) {
  if (seq == gap_marker) {
    gap_told_ = gap_.count;
    return;
  }
  Lane which{};
  Entry* const found = entry(seq, &which);
  if (found == nullptr) return;
  found->state = State::taken;
  if (which == Lane::control || seq >= live_begin_) return;
  refill(now);
  tokens_ -= 1;
}

std::vector<std::uint64_t> DeliveryQueue::sent(std::uint64_t seq) {
  if (seq == gap_marker) {
    if (guarantee_ == Guarantee::at_most_once) {
      gap_.count -= std::exchange(gap_told_, 0);
    } else {
      flight_.push_back({seq, Lane::control, 0, 0, false});
    }
    return {};
  }
  Lane which{};
  Entry* const found = entry(seq, &which);
  if (found == nullptr || found->state != State::taken) return {};
  if (guarantee_ == Guarantee::at_most_once) {
    remove(seq);
    return {seq};
  }
  found->state = State::sent;
  const bool is_result = which == Lane::results;
  if (is_result) {
    ++flight_results_;
    flight_results_size_ += ByteCount{found->size};
  }
  flight_.push_back({seq, which, found->size, 0, is_result && results_are_acknowledged_});
  return {};
}

void DeliveryQueue::not_sent(std::uint64_t seq) {
  if (seq == gap_marker) {
    gap_told_ = 0;
    return;
  }
  Lane which{};
  Entry* const found = entry(seq, &which);
  if (found == nullptr || found->state != State::taken) return;
  found->state = State::waiting;
  LaneQueue& queue = lane(which);
  queue.next = std::min(queue.next, seq);
  queue.live_next = std::min(queue.live_next, seq);
}

bool DeliveryQueue::wants_barrier() const {
  if (barrier_ != 0) return false;
  // Those that wait for one are at the end: a barrier covers all that was sent before it.
  return std::any_of(flight_.rbegin(), flight_.rend(), [](const Flight& flight) {
    return flight.barrier == 0 && !flight.awaits_acknowledgement;
  });
}

void DeliveryQueue::barrier_sent(std::uint64_t number) {
  barrier_ = number;
  for (Flight& flight : flight_) {
    if (flight.barrier == 0) flight.barrier = number;
  }
}

std::vector<std::uint64_t> DeliveryQueue::barrier_passed(std::uint64_t number) {
  if (number >= barrier_) barrier_ = 0;
  std::vector<std::uint64_t> confirmed;
  bool marker = false;
  for (const Flight& flight : flight_) {
    if (flight.barrier == 0 || flight.barrier > number || flight.awaits_acknowledgement) continue;
    if (flight.seq == gap_marker) {
      marker = true;
    } else {
      confirmed.push_back(flight.seq);
    }
  }
  if (marker) {
    land(gap_marker);
    gap_.count -= std::min(gap_.count, std::exchange(gap_told_, 0));
  }
  for (const std::uint64_t seq : confirmed) remove(seq);
  return confirmed;
}

bool DeliveryQueue::acknowledged(std::uint64_t seq) {
  if (entry(seq) == nullptr) return false;
  remove(seq);
  return true;
}

void DeliveryQueue::connection_up(bool results_are_acknowledged) {
  connected_ = true;
  results_are_acknowledged_ = results_are_acknowledged;
  live_begin_ = newest_ + 1;
  for (LaneQueue& queue : lanes_) queue.live_next = live_begin_;
}

void DeliveryQueue::connection_lost() {
  connected_ = false;
  for (const Flight& flight : flight_) {
    Entry* const found = flight.seq == gap_marker ? nullptr : entry(flight.seq);
    if (found != nullptr) found->state = State::waiting;
  }
  flight_.clear();
  flight_results_ = 0;
  flight_results_size_ = ByteCount{};
  gap_told_ = 0;
  barrier_ = 0;
  for (LaneQueue& queue : lanes_) queue.next = 1;
}

std::vector<std::uint64_t> DeliveryQueue::take_to_unstore() {
  return std::exchange(to_unstore_, {});
}

bool DeliveryQueue::flushed() {
  if (!flight_.empty() || unstored_count_ > 0) return false;
  if (!connected_) return true;
  if (marker_waits()) return false;
  LaneQueue& results = lane(Lane::results);
  results.live_next = std::max(results.live_next, live_begin_);
  return !first_waiting(lane(Lane::control), lane(Lane::control).next, no_end) &&
         !first_waiting(results, results.live_next, no_end);
}

bool DeliveryQueue::has_ample_room() const {
  return size() < bounds_.count_max / 2 && bytes_ < ByteCount{bounds_.size_max.value / 2} &&
         unstored_count_ < bounds_.unstored_count_max / 2 &&
         unstored_bytes_ < ByteCount{bounds_.unstored_size_max.value / 2};
}

std::optional<std::int64_t> DeliveryQueue::oldest_at() const {
  std::optional<std::int64_t> at;
  for (const LaneQueue& queue : lanes_) {
    if (queue.entries.empty()) continue;
    at = at ? std::min(*at, queue.entries.front().at) : queue.entries.front().at;
  }
  return at;
}

}  // namespace satellite::agent
