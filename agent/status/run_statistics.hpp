#pragma once

#include "agent/status/histogram.hpp"
#include "sandbox/report/outcome.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace satellite::agent {

/// Who had a script run.
enum class RunOrigin {
  dispatched,  ///< the core, by `run_script`
  check,       ///< a timer of ours
};
const char* name_of(RunOrigin origin);

/// One script that ended, for people.
struct RunRecord {
  RunOrigin origin = RunOrigin::dispatched;
  std::string id;  ///< of the run, or of the check
  std::chrono::system_clock::time_point ended_at{};
  std::string outcome;
  int exit_code = -1;
  std::chrono::milliseconds duration{0};
  /// From the request to the first instruction; nothing if the script never started.
  std::optional<std::chrono::microseconds> setup;
  bool was_prepared = false;
  std::string sandbox;  ///< one line: engine and layers
  std::string error;    ///< of those that have one
};

/// What became of the scripts of this process: counts, times, and the last few by name. Pure.
///
/// Shape:  bounded: outcomes and rejection codes are fixed words, of the rest `recent_max` stay.
class RunStatistics {
 public:
  static constexpr std::size_t recent_max = 20;
  /// Texts of records are cut to this.
  static constexpr std::size_t text_size_max = 300;
  using Times = Histogram<11>;

  void ended(RunOrigin origin, const std::string& id, const sandbox::RunResult& result,
             std::optional<std::chrono::microseconds> setup);
  /// `code` is a fixed word of the wire.
  void rejected(std::string_view code) { ++rejections_[std::string(code)]; }

  using Outcomes = std::map<std::pair<RunOrigin, sandbox::Outcome>, std::uint64_t>;
  const Outcomes& outcomes() const { return outcomes_; }
  const std::map<std::string, std::uint64_t>& rejections() const { return rejections_; }
  const Times& setup_times() const { return setup_times_; }
  const Times& run_times() const { return run_times_; }
  std::uint64_t prepared_hits() const { return prepared_hits_; }
  std::uint64_t prepared_misses() const { return prepared_misses_; }
  /// The latest first.
  const std::deque<RunRecord>& recent() const { return recent_; }

 private:
  Outcomes outcomes_;
  std::map<std::string, std::uint64_t> rejections_;
  Times setup_times_{{0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10}};
  Times run_times_{{0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800}};
  std::uint64_t prepared_hits_ = 0, prepared_misses_ = 0;
  std::deque<RunRecord> recent_;
};

}  // namespace satellite::agent
