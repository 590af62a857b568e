#pragma once

#include "agent/outbound/kept_messages.hpp"
#include "agent/outbound/run_streams.hpp"
#include "agent/runtime/notification.hpp"
#include "protocol/agent_messages.hpp"
#include "protocol/vocabulary/result.hpp"

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace satellite::agent {

/// Everything that waits to be sent to the core; outlives connections, and the process where there
/// is a disk for it.
///
/// Shape:  what means something on this connection only first, then control messages, results of
///         this connection, then the runs in turn and older results by turns, one frame each. What
///         is kept until the core has it: `kept_messages`, `run_streams`.
/// Source: dispatch-extension "Flow control", "Resume".
class Outbox {
 public:
  using Settings = KeptMessages::Settings;
  Outbox(boost::asio::io_context& context, Store& store, Settings settings);

  /// A message of no run's stream: kept until the core has it.
  void push(const protocol::AgentMessage& message);
  /// A message whose content is on disk in another form: it waits in memory for a connection, and
  /// is not sent again.
  void push_once(const protocol::AgentMessage& message);
  /// A message that means nothing on a later connection, such as a heartbeat.
  void push_for_this_connection(const protocol::AgentMessage& message);

  /// A new run's stream; it stays until its end is acknowledged.
  protocol::RunStream& open(const RunId& id, const protocol::RunStreamBounds& bounds);
  protocol::RunStream* find(const RunId& id) { return streams_.find(id); }
  /// Errors: not_found for a run without a stream, invalid_input for a seq never sent.
  Result<void> acknowledge(const RunId& id, std::uint64_t seq);
  /// The core asked for the run again: its unacknowledged frames are sent once more.
  void send_again(const RunId& id);
  /// After a stream was written to.
  void stream_changed(const RunId& id) { streams_.stream_changed(id); }
  /// After its end was written to a stream: that is sent once it is on disk.
  void stream_finished(const RunId& id, std::string frame) {
    streams_.finished(id, std::move(frame));
  }
  /// A run that an earlier process left on disk and the core does not have.
  void park(const RunId& id) { streams_.park(id); }
  bool is_parked(const RunId& id) const { return streams_.is_parked(id); }

  /// The frame to send now; sent() or not_sent() follows. A run's frame is kept by its stream.
  struct Outgoing {
    std::string frame;
    std::optional<std::uint64_t> kept_as;  ///< of a kept message
  };
  std::optional<Outgoing> next();
  void sent(std::optional<std::uint64_t> kept_as);
  void not_sent(std::optional<std::uint64_t> kept_as);

  /// The core handles frames in their order, so that several may be written at once.
  bool may_write_together() const { return streams_.holds_starts(); }

  /// Something was sent that only a ping after it, once answered, shows to have been read.
  bool wants_barrier() const { return kept_.wants_barrier(); }
  void barrier_sent(std::uint64_t number) { kept_.barrier_sent(number); }
  void barrier_passed(std::uint64_t number) { kept_.barrier_passed(number); }
  void acknowledge_results(const std::vector<std::string>& ids) { kept_.acknowledge(ids); }

  struct Extensions {
    bool script_dispatch = false;
    bool result_ack = false;
    bool ordered_frames = false;
  };
  void connection_up(Extensions extensions);
  void connection_lost();

  /// The agent stops: runs that wait for room write what they have and end.
  void drain();
  bool draining() const { return draining_; }

  /// Woken when next() may have something, and when a stream may have room again.
  Notification& changed() { return changed_; }
  Notification& room() { return room_; }

  std::size_t runs() const { return streams_.size() + streams_.parked(); }
  std::size_t forgotten_runs() const { return streams_.forgotten(); }
  /// Messages that were given up, the oldest first, because too many waited.
  std::size_t dropped_messages() const { return kept_.dropped(); }
  /// Half of what messages may take is free: what could as well be said later may be said now and
  /// gives up nothing that waits.
  bool has_ample_room() const { return kept_.has_ample_room(); }
  /// All is said and confirmed that this process should say before it ends; what is on disk for
  /// later does not count.
  bool empty();
  const DeliveryQueue& queue() const { return kept_.queue(); }

 private:
  using Turn = std::optional<Outgoing> (Outbox::*)();
  std::optional<Outgoing> next_kept(DeliveryQueue::Urgency urgency);
  std::optional<Outgoing> next_of_runs();
  std::optional<Outgoing> next_replay();

  Notification changed_;
  Notification room_;
  KeptMessages kept_;
  std::deque<std::string> for_this_connection_, once_;
  RunStreams streams_;
  bool replays_next_ = false, last_was_live_ = false;
  bool connected_ = false;
  bool script_dispatch_ = false;
  bool draining_ = false;
};

}  // namespace satellite::agent
