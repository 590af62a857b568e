#pragma once

#include "agent/storage/records.hpp"
#include "protocol/vocabulary/byte_count.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace satellite::agent {

/// Which messages wait for the core, which go next, which it has. Pure: knows numbers, sizes and
/// times, no frames, no disk, no socket; times are arguments.
///
/// Shape:  control before live before replay; live is what was pushed on this connection, replay
///         what is older, oldest first and at a measured pace. A message stays until it is
///         confirmed: a result on a connection that acknowledges by its acknowledgement, everything
///         else by a barrier, a ping sent after it whose pong came back. What a lost connection
///         left unconfirmed waits again. Bounded by count, bytes, age, and by the bytes of what is
///         on no disk: the oldest go first and are counted in one gap.
/// Source: dispatch-extension "Results with acknowledgement"; RFC 6455 5.5.3.
class DeliveryQueue {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Bounds {
    std::size_t count_max = 200'000;
    ByteCount size_max{256U << 20U};
    // Of messages that are in memory only, as where there is no disk for them: results may be
    // large, each fills up to a frame.
    std::size_t unstored_count_max = 4'096;
    ByteCount unstored_size_max{64U << 20U};
    std::chrono::seconds age_max{604'800};
    // Of results that are sent and not confirmed, so that a core that falls behind has to catch up.
    std::size_t window_count = 512;
    ByteCount window_size{4U << 20U};
    unsigned replay_rate = 0;  ///< messages in a second; zero = no limit
  };
  enum class Guarantee { at_least_once, at_most_once };
  enum class Urgency { control, live, replay };
  enum class Stored { no, pending, yes };

  /// The number of the message about the gap, which exists only while there is one to tell of.
  static constexpr std::uint64_t gap_marker = 0;

  DeliveryQueue(Bounds bounds, Guarantee guarantee) : bounds_(bounds), guarantee_(guarantee) {}

  /// The newest message. Its number must be higher than all before it.
  void add(const MessageFacts& facts, Stored stored);
  /// What a database holds. First time: it is older than what is here, or comes from an earlier
  /// process. Again: it is the truth about what is stored.
  struct Reconciled {
    std::vector<std::uint64_t> to_store;   ///< believed to be stored, or not yet
    std::vector<std::uint64_t> to_remove;  ///< in the database, but confirmed or given up
  };
  Reconciled restore(const StoreSnapshot& snapshot);
  void set_stored(std::uint64_t seq, Stored stored);
  Stored stored(std::uint64_t seq) const;
  /// Every message that is not stored, in order.
  std::vector<std::uint64_t> unstored() const;
  /// It is here, but its frame is lost: counted as given up.
  void lose(std::uint64_t seq);

  /// What is given up now to stay within the bounds; `now` in seconds of the wall clock.
  std::vector<std::uint64_t> enforce(std::int64_t now);

  // What to send.
  std::optional<std::uint64_t> candidate(Urgency urgency, Time now);
  /// When a replay may go that only its pace keeps back.
  std::optional<Time> replay_possible_at(Time now) const;
  std::optional<MessageFacts> find(std::uint64_t seq) const;
  /// Handed to the connection; and then whether that took it.
  void take(std::uint64_t seq, Time now);
  /// The messages that need not be kept any more: only where none is sent twice.
  std::vector<std::uint64_t> sent(std::uint64_t seq);
  void not_sent(std::uint64_t seq);

  // What the core has.
  /// Something was sent that only a barrier can confirm, and none is under way.
  bool wants_barrier() const;
  /// A ping of this number follows all that was sent before.
  void barrier_sent(std::uint64_t number);
  /// Its pong came, or one of a higher number: what is confirmed by it.
  std::vector<std::uint64_t> barrier_passed(std::uint64_t number);
  /// True if it was waiting for that.
  bool acknowledged(std::uint64_t seq);

  void connection_up(bool results_are_acknowledged);
  void connection_lost();

  /// Of what is confirmed or given up, that which is on disk or on its way there, once.
  std::vector<std::uint64_t> take_to_unstore();

  const Gap& gap() const { return gap_; }
  std::size_t size() const { return lanes_[0].count + lanes_[1].count; }
  ByteCount bytes() const { return bytes_; }
  bool all_stored() const { return unstored_count_ == 0; }
  std::size_t in_flight() const { return flight_.size(); }
  /// Nothing sent is unconfirmed, and all that waits may as well be sent by the next process.
  bool flushed();
  bool has_ample_room() const;
  std::optional<std::int64_t> oldest_at() const;

 private:
  enum class State : std::uint8_t { waiting, taken, sent, gone };
  struct Entry {
    std::uint64_t seq = 0;
    std::int64_t at = 0;
    std::uint32_t size = 0;
    State state = State::waiting;
    Stored stored = Stored::no;
  };
  struct LaneQueue {
    std::deque<Entry> entries;    ///< by seq; gone ones until they are at the front
    std::size_t count = 0;        ///< without the gone
    std::uint64_t next = 1;       ///< no waiting replay has a lower number
    std::uint64_t live_next = 1;  ///< no waiting live message has a lower number
  };
  struct Flight {
    std::uint64_t seq = 0;
    Lane lane = Lane::results;
    std::uint32_t size = 0;
    std::uint64_t barrier = 0;  ///< 0 = none sent yet
    bool awaits_acknowledgement = false;
  };

  LaneQueue& lane(Lane lane) { return lanes_[static_cast<std::size_t>(lane)]; }
  const Entry* entry(std::uint64_t seq, Lane* lane = nullptr) const;
  Entry* entry(std::uint64_t seq, Lane* lane = nullptr);
  static std::optional<std::uint64_t> first_waiting(const LaneQueue& queue, std::uint64_t& from,
                                                    std::uint64_t end);
  bool window_is_full() const;
  void refill(Time now);
  enum class Victims { any, unstored };
  std::optional<std::uint64_t> oldest(Victims victims) const;
  void remove(std::uint64_t seq);
  void land(std::uint64_t seq);
  void note_stored(Entry& entry, Stored stored);
  bool marker_waits() const;

  Bounds bounds_;
  Guarantee guarantee_;
  LaneQueue lanes_[2];
  ByteCount bytes_, unstored_bytes_;
  std::size_t unstored_count_ = 0;
  std::vector<std::uint64_t> to_unstore_;
  std::deque<Flight> flight_;  ///< in the order in which they were sent
  std::size_t flight_results_ = 0;
  ByteCount flight_results_size_;
  std::uint64_t newest_ = 0;      ///< the highest number that was added
  std::uint64_t live_begin_ = 1;  ///< from this number on a message belongs to this connection
  std::uint64_t barrier_ = 0;     ///< under way; 0 = none
  Gap gap_;
  std::uint64_t gap_told_ = 0;  ///< of its count, by the marker that is under way
  double tokens_ = 0;
  std::optional<Time> refilled_at_;
  bool connected_ = false;
  bool results_are_acknowledged_ = false;
  bool restored_ = false;
};

}  // namespace satellite::agent
