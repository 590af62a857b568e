#pragma once

#include "agent/runtime/notification.hpp"
#include "protocol/agent_messages.hpp"
#include "protocol/run_stream.hpp"
#include "protocol/vocabulary/result.hpp"

#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace satellite::agent {

/// Everything that waits to be sent to the core; outlives connections.
///
/// Shape:  single messages first (most are small and must overtake output), then the runs in turn,
///         one frame each, so that no script's output starves another's. Bounded: single messages
///         by count and bytes, runs by their own windows, all output together by the connection's
///         window, runs that ended unacknowledged by count, the oldest forgotten first and counted.
/// Source: dispatch-extension "Flow control", "Resume".
class Outbox {
 public:
  explicit Outbox(boost::asio::io_context& context);

  /// A message of no run's stream. Survives a lost connection until it was handed out.
  void push(const protocol::AgentMessage& message);
  /// A message that means nothing on a later connection, such as a heartbeat.
  void push_for_this_connection(const protocol::AgentMessage& message);

  /// A new run's stream; it stays until its end is acknowledged.
  protocol::RunStream& open(const RunId& id, const protocol::RunStreamBounds& bounds);
  protocol::RunStream* find(const RunId& id);
  /// Errors: not_found for a run without a stream, invalid_input for a seq never sent.
  Result<void> acknowledge(const RunId& id, std::uint64_t seq);
  /// The core asked for the run again: its unacknowledged frames are sent once more.
  void send_again(const RunId& id);
  /// After a stream was written to: wakes the sender.
  void stream_changed() { changed_.notify_all(); }

  /// The frame to send now. A run's frame is kept by its stream until it is acknowledged; any other
  /// is gone from here and comes back by put_back() if the connection did not take it.
  struct Outgoing {
    std::string frame;
    bool kept_by_stream = false;
    bool this_connection_only = false;
    /// Must come back if the connection does not take it.
    bool returns() const { return !kept_by_stream && !this_connection_only; }
  };
  std::optional<Outgoing> next();
  /// The connection did not take it: it is the first to go out on the next one, if it means
  /// anything there.
  void put_back(Outgoing outgoing);

  void connection_up(bool script_dispatch);
  void connection_lost();

  /// The agent stops: runs that wait for room write what they have and end.
  void drain();
  bool draining() const { return draining_; }

  /// Woken when next() may have something, and when a stream may have room again.
  Notification& changed() { return changed_; }
  Notification& room() { return room_; }

  std::size_t runs() const { return streams_.size(); }
  std::size_t forgotten_runs() const { return forgotten_runs_; }
  /// WaitingMessage messages that were given up, the oldest first, because too many waited.
  std::size_t dropped_messages() const { return dropped_messages_; }
  /// Half of what single messages may take is free: what could as well be said later may be said
  /// now and gives up nothing that waits.
  bool has_ample_room() const;
  bool empty() const;

 private:
  struct WaitingMessage {
    std::string frame;
    bool this_connection_only = false;
  };
  using Streams = std::list<protocol::RunStream>;

  void push_frame(std::string frame, bool this_connection_only);
  void forget_oldest_ended();
  std::optional<Outgoing> next_of_runs();

  Notification changed_;
  Notification room_;
  std::deque<WaitingMessage> messages_;
  ByteCount messages_size_;
  Streams streams_;  ///< in the order of their turns; the front is next
  std::unordered_map<RunId, Streams::iterator> by_id_;
  ByteCount in_flight_;
  std::size_t forgotten_runs_ = 0;
  std::size_t dropped_messages_ = 0;
  bool connected_ = false;
  bool script_dispatch_ = false;
  bool draining_ = false;
};

}  // namespace satellite::agent
