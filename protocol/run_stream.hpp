#pragma once

#include "protocol/agent_messages.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "protocol/vocabulary/result.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace satellite::protocol {

struct RunStreamBounds {
  /// Output sent and not acknowledged; also what is kept while the core is there.
  ByteCount window = limits::output_window_per_run;
  /// What is kept while the core is away: the run's output cap.
  ByteCount kept_while_away_max = limits::output_size_max_without_policy;
};

/// A message of a run outside the process that made it: its number and its frame.
struct NumberedFrame {
  std::uint64_t seq = 0;
  std::string frame;
};

/// The messages of one run on their way to a core that may go away and come back.
///
/// Shape:  pure machine. Numbers what it is given (`seq` from 0 without gaps, one offset per
///         stream), hands out frames in that order, keeps everything until it is acknowledged, and
///         after connection_lost() hands out again whatever is not. Output that was never handed
///         out is merged with what follows it on the same stream, so that a script that writes byte
///         by byte while the core is away does not become a million messages. What was taken for
///         the disk does not change any more. Nothing with a number from the send bound on is
///         handed out, and the end only when it is on disk, so that the next process knows what may
///         have been sent.
/// Units:  bytes of output as the script wrote it; each kept message is charged its own size, too.
/// Errors: only acknowledge() judges foreign input. Order of calls is the caller's duty: started at
///         most once and first, finished exactly once and last; asserted.
/// Source: dispatch-extension "Flow control", "Resume".
class RunStream {
 public:
  explicit RunStream(RunId run_id, RunStreamBounds bounds = {});
  /// As an earlier process left it: frames by number, the last of them its end. Numbers that are
  /// missing are of messages that nobody has any more.
  RunStream(RunId run_id, RunStreamBounds bounds, std::vector<NumberedFrame> frames);

  /// `run_id` and `seq` of the messages are filled in here.
  void started(ScriptStarted message);
  void output(OutputStream stream, std::string bytes);
  void finished(ScriptFinished message);

  /// The frame to send now, at most once per connection each; nothing while the window is full, the
  /// core is away or all is sent.
  std::optional<std::string> next_to_send();

  /// What is not acknowledged and not yet taken for the disk, in order, of the numbers before
  /// `end`.
  std::vector<NumberedFrame> take_unstored(std::uint64_t end);
  /// The disk has lost what was taken.
  void forget_stored() { stored_end_ = seq_first_; }
  std::uint64_t stored_end() const { return stored_end_; }
  std::uint64_t first_unacknowledged() const { return seq_first_; }
  /// At first there is no bound, and the end may be sent at once.
  void set_send_bound(std::uint64_t bound) { send_bound_ = bound; }
  std::uint64_t send_bound() const { return send_bound_; }
  void hold_end() { end_held_ = true; }
  void release_end() { end_held_ = false; }

  /// The core has everything up to `seq`: the output bytes that were in flight and are no more.
  /// Repeated and outdated acknowledgements free nothing and are no error.
  /// Errors: invalid_input if `seq` was never sent; nothing changes then.
  Result<ByteCount> acknowledge(std::uint64_t seq);

  void connection_lost();
  void connection_restored();
  /// The core asked for the run once more on the same connection: send again what it may lack.
  void send_again();

  /// How much more output fits; at zero the script's pipe is not to be read.
  ByteCount room() const;
  /// Output sent on this connection and not acknowledged, for the bound over all runs.
  ByteCount in_flight() const { return in_flight_; }
  /// The end is acknowledged: the run may be forgotten.
  bool complete() const { return finished_ && messages_.empty(); }
  /// The end was said, acknowledged or not.
  bool ended() const { return finished_; }
  /// What the next message of this run will be numbered.
  std::uint64_t next_seq() const { return seq_end(); }
  const RunId& run_id() const { return run_id_; }

 private:
  struct Chunk {
    OutputStream stream = OutputStream::standard_output;
    std::uint64_t offset = 0;
    std::string bytes;
  };
  // The two big messages occur once each, so they must not set the size of every entry.
  struct Made {  ///< by an earlier process; empty = lost with it
    std::string frame;
  };
  using Message =
      std::variant<Chunk, std::unique_ptr<ScriptStarted>, std::unique_ptr<ScriptFinished>, Made>;

  std::string encoded(std::uint64_t seq) const;
  void append_chunk(OutputStream stream, std::string bytes);
  std::uint64_t seq_end() const { return seq_first_ + messages_.size(); }
  ByteCount kept() const;
  static ByteCount output_size_of(const Message& message);

  RunId run_id_;
  RunStreamBounds bounds_;
  std::deque<Message> messages_;    ///< all that is not acknowledged
  std::uint64_t seq_first_ = 0;     ///< of messages_.front()
  std::uint64_t seq_next_ = 0;      ///< to hand out next
  std::uint64_t seq_sent_end_ = 0;  ///< one past the highest ever handed out
  std::uint64_t stored_end_ = 0;    ///< one past the highest that was taken for the disk
  std::uint64_t send_bound_ = std::numeric_limits<std::uint64_t>::max();
  std::array<std::uint64_t, 2> offsets_{};
  ByteCount kept_output_;
  ByteCount in_flight_;
  bool connected_ = true;
  bool finished_ = false;
  bool end_held_ = false;
};

}  // namespace satellite::protocol
