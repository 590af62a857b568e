#pragma once

#include "protocol/run_stream.hpp"
#include "protocol/vocabulary/result.hpp"

#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

namespace satellite::agent {

/// The runs whose messages wait for the core or for its acknowledgement.
///
/// Shape:  one frame of each run in turn, so that no script's output starves another's. Bounded:
///         runs by their own windows, all output together by the connection's window, runs that
///         ended unacknowledged by count, the oldest forgotten first and counted.
/// Source: dispatch-extension "Flow control", "Resume".
class RunStreams {
 public:
  protocol::RunStream& open(const RunId& id, const protocol::RunStreamBounds& bounds);
  protocol::RunStream* find(const RunId& id);
  /// Errors: not_found for a run without a stream, invalid_input for a seq never sent.
  Result<void> acknowledge(const RunId& id, std::uint64_t seq);
  void send_again(const RunId& id);
  std::optional<std::string> next();

  void connection_up();
  void connection_lost();

  std::size_t size() const { return streams_.size(); }
  std::size_t forgotten() const { return forgotten_; }

 private:
  using Streams = std::list<protocol::RunStream>;
  void forget_oldest_ended();

  Streams streams_;  ///< in the order of their turns; the front is next
  std::unordered_map<RunId, Streams::iterator> by_id_;
  ByteCount in_flight_;
  std::size_t forgotten_ = 0;
  bool connected_ = false;
};

}  // namespace satellite::agent
