#pragma once

#include "agent/runtime/notification.hpp"
#include "agent/runtime/process_time.hpp"
#include "agent/storage/store.hpp"
#include "protocol/run_stream.hpp"
#include "protocol/vocabulary/result.hpp"

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace satellite::agent {

/// The runs whose messages wait for the core or for its acknowledgement.
///
/// Shape:  one frame of each run in turn, so that no script's output starves another's. Bounded:
///         runs by their own windows, all output together by the connection's window, runs that
///         ended unacknowledged by count, the oldest forgotten first and counted.
///         What is older than a second goes to the disk as well; the end of a run, with all that
///         is not acknowledged, before it is sent. A run that ended while the core is away leaves
///         memory and is read again when its turn comes, as are those of earlier processes.
/// Source: dispatch-extension "Flow control", "Resume".
class RunStreams {
 public:
  /// `changed` is notified when next() may have something.
  RunStreams(boost::asio::io_context& context, Store& store, Notification& changed);

  protocol::RunStream& open(const RunId& id, const protocol::RunStreamBounds& bounds);
  protocol::RunStream* find(const RunId& id);
  /// It was written to: the wake-up of the sender, and of the disk when it is due.
  void stream_changed(const RunId& id);
  /// The run of this stream has its end in it.
  void finished(const RunId& id, std::string frame);
  /// A run whose messages are on disk and not yet acknowledged.
  void park(const RunId& id);
  bool is_parked(const RunId& id) const;
  /// Errors: not_found for a run without a stream, invalid_input for a seq never sent.
  Result<void> acknowledge(const RunId& id, std::uint64_t seq);
  void send_again(const RunId& id);
  std::optional<std::string> next();
  /// Whether what a run says at its start waits a moment for its end, to go out with it.
  void hold_starts(bool hold) { holds_starts_ = hold; }
  bool holds_starts() const { return holds_starts_; }

  void connection_up();
  void connection_lost();
  /// The disk works again: what it refused, or lost, is written.
  void store_again();
  /// It does not answer: what waits for it is sent without.
  void go_on_without_disk();

  std::size_t size() const { return streams_.size(); }
  std::size_t parked() const { return parked_.size(); }
  std::size_t forgotten() const { return forgotten_; }
  /// The agent stops: runs of earlier processes are the next one's.
  void drain() { draining_ = true; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    explicit Entry(protocol::RunStream its_stream) : stream(std::move(its_stream)) {}
    protocol::RunStream stream;
    std::uint64_t tick_end = 0;     ///< its next number at the last tick
    std::uint64_t removed_end = 0;  ///< what was before that is off the disk
    bool end_stored = false;
    bool asks_for_bound = false;
    /// Nothing of it is sent before, or before its end.
    std::optional<Clock::time_point> held_until;
    bool was_held = false;
    std::string end;  ///< its `script_finished`, until that is on disk
  };
  using Streams = std::list<Entry>;

  Entry* entry(const RunId& id);
  Entry& add(const RunId& id, protocol::RunStream stream);
  void remove(const RunId& id);
  void forget_oldest_ended();
  void raise_bound(Entry& entry);
  void store_unstored(Entry& entry, std::uint64_t end);
  void store_end(Entry& entry);
  void end_stored(const RunId& id, bool done);
  void park_ended();
  void load_parked();
  void loaded(const RunId& id, StoredRunStream stored);
  void arm_tick();
  void tick();
  void hold(Entry& entry);
  void let_go_when_due();

  Store& store_;
  Notification& changed_;
  boost::asio::steady_timer tick_, hold_;
  ProcessTime time_;
  Streams streams_;  ///< in the order of their turns; the front is next
  std::unordered_map<RunId, Streams::iterator> by_id_;
  std::deque<RunId> parked_;
  std::unordered_set<RunId> loading_;
  ByteCount in_flight_;
  std::size_t forgotten_ = 0;
  bool connected_ = false;
  bool ticks_ = false;
  bool holds_starts_ = false, waits_to_let_go_ = false;
  bool draining_ = false;
};

}  // namespace satellite::agent
