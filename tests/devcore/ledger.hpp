#pragma once

#include "protocol/agent_messages.hpp"
#include "tests/devcore/settings.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace satellite::devcore {

/// Everything a satellite has said about one run, and whether it kept the rules in saying it.
struct CollectedRun {
  std::optional<protocol::ScriptAccepted> accepted;
  std::optional<protocol::ScriptRejected> rejected;
  std::optional<protocol::ScriptStarted> started;
  std::optional<protocol::ScriptFinished> finished;
  std::vector<protocol::ScriptStatus> statuses;
  std::string standard_output, standard_error;
  std::uint64_t output_frames = 0, output_bytes = 0;
  std::uint64_t seq_expected = 0;
  std::uint64_t repeated = 0;           ///< frames with a seq seen before: resends
  std::vector<std::string> violations;  ///< gaps in seq or offset, output after the end, …
};

struct Counters {
  std::uint64_t connections = 0, upgrades = 0, authentications = 0, refusals = 0;
  std::uint64_t disconnections = 0;  ///< of authenticated connections
  std::uint64_t stalls = 0;          ///< connections that are no longer read
  std::uint64_t frames = 0, bytes = 0, invalid_frames = 0;
};

/// One frame as it came, except output.
struct ReceivedFrame {
  std::string type, text;
};

/// What happened, written by the core's thread, read and waited for by any other.
class Ledger {
 public:
  explicit Ledger(const Settings& settings)
      : collect_output_(settings.collect_output), collected_max_(settings.collected_max) {}

  // Written by the core's thread.
  void count(const std::function<void(Counters&)>& change);
  void note_frame(std::string_view type, std::string_view text);
  void note(const protocol::AgentMessage& message);
  void note_invalid(const std::string& why);
  void note_goodbye(std::string text);

  // Read by anybody.
  Counters counters() const;
  /// One more than the last `seq` of this run that came without a gap.
  std::uint64_t seq_expected(const std::string& run_id) const;
  std::vector<std::string> run_ids() const;
  CollectedRun run(const std::string& run_id) const;
  /// Frames of this type in order, without the first `from`.
  std::vector<std::string> frames(const std::string& type, std::size_t from = 0) const;
  std::vector<std::string> invalid_frames() const;
  /// How connections ended, in order: close codes and errors in words.
  std::vector<std::string> goodbyes() const;

  /// Waits until `condition` holds, asked under the lock; false when `timeout` came first.
  using Condition = std::function<bool(const Ledger&)>;
  bool wait(std::chrono::milliseconds timeout, const Condition& condition) const;

  // For conditions.
  const Counters& counters_locked() const { return counters_; }
  const CollectedRun* run_locked(const std::string& run_id) const;
  std::size_t frame_count_locked(const std::string& type) const;
  std::size_t goodbye_count_locked() const { return goodbyes_.size(); }

 private:
  enum class MayLeaveOut { nothing, what_was_lost };
  /// One that waits, and what for.
  struct Waiter {
    const Condition& condition;
    bool is_satisfied = false;
    std::condition_variable news{};
  };
  void wake_satisfied();
  bool takes_seq(CollectedRun& run, std::uint64_t seq,
                 MayLeaveOut may_leave_out = MayLeaveOut::nothing);
  void note_run(const protocol::ScriptAccepted& message);
  void note_run(const protocol::ScriptRejected& message);
  void note_run(const protocol::ScriptStarted& message);
  void note_run(const protocol::ScriptOutput& message);
  void note_run(const protocol::ScriptFinished& message);
  void note_run(const protocol::ScriptStatus& message);
  template <typename Other>
  void note_run(const Other&) {}

  const bool collect_output_;
  const ByteCount collected_max_;
  mutable std::mutex mutex_;
  mutable std::list<Waiter*> waiters_;
  Counters counters_;
  std::map<std::string, CollectedRun> runs_;
  std::vector<ReceivedFrame> frames_;
  std::vector<std::string> goodbyes_, invalid_;
};

}  // namespace satellite::devcore
