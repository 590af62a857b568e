#pragma once

#include "agent/outbound/delivery_queue.hpp"
#include "agent/runtime/notification.hpp"
#include "agent/runtime/process_time.hpp"
#include "agent/storage/store.hpp"

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace satellite::agent {

/// Messages that are kept until the core has them: the frames around a DeliveryQueue, in memory as
/// far as they are about to be sent or cannot be stored, on disk otherwise.
///
/// Shape:  a message is handed to the store and may be sent at once; what the core has confirmed by
///         then is removed again. Where a message may be sent once at most, it is sent only after
///         it was removed from the disk.
class KeptMessages {
 public:
  struct Settings {
    DeliveryQueue::Bounds bounds;
    DeliveryQueue::Guarantee guarantee = DeliveryQueue::Guarantee::at_least_once;
  };
  /// `changed` is notified when next() may have something.
  KeptMessages(boost::asio::io_context& context, Store& store, Settings settings,
               Notification& changed);

  void push(std::string frame, Lane lane);

  struct Outgoing {
    std::uint64_t seq = 0;
    std::string frame;
  };
  std::optional<Outgoing> next(DeliveryQueue::Urgency urgency);
  void sent(std::uint64_t seq);
  void not_sent(std::uint64_t seq);
  bool wants_barrier() const { return queue_.wants_barrier(); }
  void barrier_sent(std::uint64_t number) { queue_.barrier_sent(number); }
  void barrier_passed(std::uint64_t number);
  /// Ids that are none of ours, or of results that are gone already, change nothing.
  void acknowledge(const std::vector<std::string>& result_ids);

  void connection_up(bool results_are_acknowledged);
  void connection_lost();
  /// Wakes the sender when the pace of replay allows the next one.
  void arm_pace();

  bool flushed() { return queue_.flushed(); }
  bool has_ample_room() const { return queue_.has_ample_room(); }
  std::size_t dropped() const { return dropped_; }
  const DeliveryQueue& queue() const { return queue_; }

 private:
  void opened(const StoreSnapshot& snapshot);
  void store(std::uint64_t seq);
  void store_all();
  void written(std::uint64_t seq, bool done);
  void removed(const std::vector<std::uint64_t>& seqs);
  /// Gives up what the bounds do not hold any more.
  void enforce();
  void lost(std::uint64_t seq);
  void forget_frame(std::uint64_t seq);
  void keep_frame(std::uint64_t seq, std::string frame);
  void write_gap();
  void read_from(const MessageFacts& first);
  void page_read(std::uint64_t first, std::vector<StoredFrame> frames);
  /// False while the disk still has it and it must not be sent twice.
  bool may_be_sent(std::uint64_t seq);
  std::string marker() const;

  boost::asio::io_context& context_;
  Store& store_;
  Notification& changed_;
  boost::asio::steady_timer pace_;
  const DeliveryQueue::Guarantee guarantee_;
  DeliveryQueue queue_;
  std::unordered_map<std::uint64_t, std::string> frames_;
  std::size_t frames_size_ = 0;
  Gap written_gap_;
  std::uint64_t seq_ = 0;
  std::size_t dropped_ = 0;
  bool reading_ = false, withdrawing_ = false;
  bool connected_ = false, adds_result_ids_ = false;
  ProcessTime time_;
};

}  // namespace satellite::agent
