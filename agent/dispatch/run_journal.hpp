#pragma once

#include "protocol/vocabulary/ids.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

namespace satellite::agent {

enum class JournalState { queued, running, finished };

/// Every run id that was ever accepted, so that none is executed twice.
///
/// Shape:  ids with their state and, for recent ones, the last `script_finished` frame; kept for 24
///         h and at most `run_ids_kept_max`, the oldest finished one forgotten first. In memory:
///         the next process knows none of them.
/// Units:  steady time as an argument.
/// Source: dispatch-extension "Once only".
class RunJournal {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Entry {
    JournalState state = JournalState::queued;
    std::string finished_frame;  ///< empty until finished, and again once it is too old to keep
  };

  /// False if the id is known already: the run must not be executed.
  bool accept(const RunId& id, Time now);
  void running(const RunId& id);
  void finished(const RunId& id, std::string finished_frame);

  std::optional<Entry> find(const RunId& id) const;
  std::size_t size() const { return entries_.size(); }
  std::size_t count_frames() const { return with_frame_.size(); }

 private:
  void make_room(Time now);
  void trim_frames();

  struct Accepted {
    RunId id;
    Time at;
  };
  std::unordered_map<RunId, Entry> entries_;
  std::deque<Accepted> by_age_;
  std::deque<RunId> with_frame_;
  std::size_t frame_bytes_ = 0;
};

}  // namespace satellite::agent
