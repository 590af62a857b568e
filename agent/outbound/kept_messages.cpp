#include "agent/outbound/kept_messages.hpp"

#include "agent/outbound/result_id.hpp"
#include "protocol/encode.hpp"
#include "protocol/timestamp.hpp"

#include <algorithm>
#include <utility>

namespace satellite::agent {
namespace {

using Clock = std::chrono::steady_clock;
using Urgency = DeliveryQueue::Urgency;
using Guarantee = DeliveryQueue::Guarantee;
using Stored = DeliveryQueue::Stored;

// Frames that are on disk, too, and may be the next to be sent.
constexpr std::size_t frames_kept_max = 1U << 20U;
constexpr std::size_t page_count_max = 128;
constexpr std::size_t page_size_max = 512U << 10U;
constexpr const char* marker_id = "checkstack-satellite.outbox";

/// Above all numbers of earlier processes, unless the clock went back: then what the database holds
/// decides. A process has a million numbers for each millisecond that it lives.
std::uint64_t first_seq() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(millis, 0)) << 20U;
}

}  // namespace

KeptMessages::KeptMessages(boost::asio::io_context& context, Store& store, Settings settings,
                           Notification& changed)
    : context_(context),
      store_(store),
      changed_(changed),
      pace_(context),
      guarantee_(settings.guarantee),
      queue_(settings.bounds, settings.guarantee),
      seq_(first_seq()) {
  store_.listen({[this](const StoreSnapshot& snapshot) { opened(snapshot); },
                 [this](StoreFault fault, const std::string&) {
                   if (fault == StoreFault::none) store_all();
                   changed_.notify_all();
                 }});
}

void KeptMessages::push(std::string frame, Lane lane) {
  const MessageFacts facts{++seq_, lane, static_cast<std::uint32_t>(frame.size()), time_.now()};
  queue_.add(facts, Stored::no);
  keep_frame(facts.seq, std::move(frame));
  // What may be sent once at most, and is sent in a moment, need not be on disk before.
  if (guarantee_ == Guarantee::at_least_once || !connected_) store(facts.seq);
  enforce();
  changed_.notify_all();
}

void KeptMessages::keep_frame(std::uint64_t seq, std::string frame) {
  forget_frame(seq);
  frames_size_ += frame.size();
  frames_.emplace(seq, std::move(frame));
}

void KeptMessages::forget_frame(std::uint64_t seq) {
  const auto found = frames_.find(seq);
  if (found == frames_.end()) return;
  frames_size_ -= found->second.size();
  frames_.erase(found);
}

void KeptMessages::store(std::uint64_t seq) {
  const auto facts = queue_.find(seq);
  const auto frame = frames_.find(seq);
  if (!facts) return;
  if (frame == frames_.end()) return lost(seq);
  // Nobody would answer anything else.
  if (store_.fault() != StoreFault::none && store_.fault() != StoreFault::opening) return;
  queue_.set_stored(seq, Stored::pending);
  store_.write(PutMessage{*facts, frame->second}, [this, seq](bool done) { written(seq, done); });
}

void KeptMessages::store_all() {
  if (guarantee_ == Guarantee::at_most_once && connected_) return;
  for (const std::uint64_t seq : queue_.unstored()) store(seq);
  write_gap();
}

void KeptMessages::written(std::uint64_t seq, bool done) {
  // Removed meanwhile: the store was told so after this.
  if (!queue_.find(seq)) return;
  queue_.set_stored(seq, done ? Stored::yes : Stored::no);
  if (done && frames_size_ > frames_kept_max) forget_frame(seq);
  if (!done) enforce();
}

void KeptMessages::opened(const StoreSnapshot& snapshot) {
  if (!snapshot.messages.empty()) seq_ = std::max(seq_, snapshot.messages.back().seq);
  auto reconciled = queue_.restore(snapshot);
  written_gap_ = snapshot.gap;
  if (!reconciled.to_remove.empty()) {
    store_.write(RemoveMessages{std::move(reconciled.to_remove)});
  }
  for (const std::uint64_t seq : reconciled.to_store) {
    if (frames_.count(seq) == 0) lost(seq);
  }
  enforce();
  changed_.notify_all();
}

void KeptMessages::lost(std::uint64_t seq) {
  queue_.lose(seq);
  removed({seq});
  ++dropped_;
}

void KeptMessages::enforce() {
  const auto dropped = queue_.enforce(time_.now());
  if (dropped.empty()) return write_gap();
  dropped_ += dropped.size();
  removed(dropped);
}

void KeptMessages::removed(const std::vector<std::uint64_t>& seqs) {
  for (const std::uint64_t seq : seqs) forget_frame(seq);
  auto stored = queue_.take_to_unstore();
  if (!stored.empty()) store_.write(RemoveMessages{std::move(stored)});
  write_gap();
}

void KeptMessages::write_gap() {
  const bool is_asked_enough = !store_.settled() || store_.fault() == StoreFault::hanging;
  if (queue_.gap() == written_gap_ || is_asked_enough) return;
  written_gap_ = queue_.gap();
  store_.write(SetGap{written_gap_});
}

std::string KeptMessages::marker() const {
  const Gap& gap = queue_.gap();
  const auto text = [](std::int64_t at) {
    return protocol::format_timestamp(
        std::chrono::system_clock::time_point(std::chrono::seconds(at)));
  };
  return protocol::encode(protocol::StrategyError{
      marker_id, std::to_string(gap.count) + " messages from " + text(gap.since) + " to " +
                     text(gap.until) +
                     " are lost: more waited for the core than the satellite may keep"});
}

std::optional<KeptMessages::Outgoing> KeptMessages::next(Urgency urgency) {
  enforce();
  const auto seq = queue_.candidate(urgency, Clock::now());
  if (!seq) return std::nullopt;
  if (*seq == DeliveryQueue::gap_marker) {
    queue_.take(*seq, Clock::now());
    return Outgoing{*seq, marker()};
  }
  const auto frame = frames_.find(*seq);
  if (frame == frames_.end()) {
    const auto facts = queue_.find(*seq);
    if (facts) read_from(*facts);
    return std::nullopt;
  }
  if (!may_be_sent(*seq)) return std::nullopt;
  queue_.take(*seq, Clock::now());
  return Outgoing{*seq, adds_result_ids_ ? with_result_id(frame->second, *seq) : frame->second};
}

bool KeptMessages::may_be_sent(std::uint64_t seq) {
  if (guarantee_ == Guarantee::at_least_once || queue_.stored(seq) == Stored::no) return true;
  if (withdrawing_) return false;
  std::vector<std::uint64_t> seqs;
  for (const auto& [kept, frame] : frames_) {
    if (queue_.stored(kept) == Stored::yes) seqs.push_back(kept);
  }
  // One that is about to be written is taken back once it was.
  if (seqs.empty()) return false;
  withdrawing_ = true;
  store_.write(RemoveMessages{seqs}, [this, seqs](bool done) {
    withdrawing_ = false;
    if (!done) return;
    for (const std::uint64_t withdrawn : seqs) queue_.set_stored(withdrawn, Stored::no);
    changed_.notify_all();
  });
  return false;
}

void KeptMessages::read_from(const MessageFacts& first) {
  if (reading_ || store_.fault() != StoreFault::none) return;
  reading_ = true;
  store_.read({first.lane, first.seq, page_count_max, page_size_max},
              [this, seq = first.seq](std::vector<StoredFrame> frames) {
                page_read(seq, std::move(frames));
              });
}

void KeptMessages::page_read(std::uint64_t first, std::vector<StoredFrame> frames) {
  reading_ = false;
  for (StoredFrame& one : frames) {
    if (queue_.find(one.seq)) keep_frame(one.seq, std::move(one.frame));
  }
  // The disk works, but not for this one.
  const bool is_unreadable = frames_.count(first) == 0 && queue_.find(first);
  if (is_unreadable && store_.fault() == StoreFault::none) lost(first);
  changed_.notify_all();
}

void KeptMessages::sent(std::uint64_t seq) {
  const auto done = queue_.sent(seq);
  if (!done.empty()) removed(done);
  // What comes back is read again.
  if (queue_.stored(seq) == Stored::yes) forget_frame(seq);
}

void KeptMessages::not_sent(std::uint64_t seq) {
  queue_.not_sent(seq);
}

void KeptMessages::barrier_passed(std::uint64_t number) {
  removed(queue_.barrier_passed(number));
  changed_.notify_all();
}

void KeptMessages::acknowledge(const std::vector<std::string>& result_ids) {
  std::vector<std::uint64_t> confirmed;
  for (const std::string& id : result_ids) {
    const auto seq = seq_of_result_id(id);
    if (seq && *seq != DeliveryQueue::gap_marker && queue_.acknowledged(*seq)) {
      confirmed.push_back(*seq);
    }
  }
  removed(confirmed);
  if (!confirmed.empty()) changed_.notify_all();
}

void KeptMessages::connection_up(bool results_are_acknowledged) {
  connected_ = true;
  adds_result_ids_ = results_are_acknowledged;
  queue_.connection_up(results_are_acknowledged);
}

void KeptMessages::connection_lost() {
  connected_ = false;
  queue_.connection_lost();
  store_all();
}

void KeptMessages::arm_pace() {
  const auto at = queue_.replay_possible_at(Clock::now());
  if (!at || pace_.expiry() == *at) return;
  pace_.expires_at(*at);
  pace_.async_wait([this](const boost::system::error_code& failure) {
    if (!failure) changed_.notify_all();
  });
}

}  // namespace satellite::agent
