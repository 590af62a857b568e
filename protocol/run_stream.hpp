#pragma once

#include "protocol/agent_messages.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "protocol/vocabulary/result.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace satellite::protocol {

struct RunStreamBounds {
  /// Output sent and not acknowledged; also what is kept while the core is there.
  ByteCount window = limits::output_window_per_run;
  /// What is kept while the core is away: the run's output cap.
  ByteCount kept_while_away_max = limits::output_size_max_without_policy;
};

/// The messages of one run on their way to a core that may go away and come back.
///
/// Shape:  pure machine. Numbers what it is given (`seq` from 0 without gaps, one offset per
///         stream), hands out frames in that order, keeps everything until it is acknowledged, and
///         after connection_lost() hands out again whatever is not. Output that was never handed
///         out is merged with what follows it on the same stream, so that a script that writes byte
///         by byte while the core is away does not become a million messages.
/// Units:  bytes of output as the script wrote it; each kept message is charged its own size, too.
/// Errors: only acknowledge() judges foreign input. Order of calls is the caller's duty: started at
///         most once and first, finished exactly once and last; asserted.
/// Source: dispatch-extension "Flow control", "Resume".
class RunStream {
 public:
  explicit RunStream(RunId run_id, RunStreamBounds bounds = {});

  /// `run_id` and `seq` of the messages are filled in here.
  void started(ScriptStarted message);
  void output(OutputStream stream, std::string bytes);
  void finished(ScriptFinished message);

  /// The frame to send now, at most once per connection each; nothing while the window is full, the
  /// core is away or all is sent.
  std::optional<std::string> next_to_send();

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
  using Message =
      std::variant<Chunk, std::unique_ptr<ScriptStarted>, std::unique_ptr<ScriptFinished>>;

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
  std::array<std::uint64_t, 2> offsets_{};
  ByteCount kept_output_;
  ByteCount in_flight_;
  bool connected_ = true;
  bool finished_ = false;
};

}  // namespace satellite::protocol
