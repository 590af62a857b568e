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

/// Every run id that was ever accepted, so that none is executed twice. Pure.
///
/// Shape:  ids with their state, kept for 24 h and at most `run_ids_kept_max`, the oldest finished
///         one forgotten first. In memory an id is its hash: two that share one are one, and the
///         second is not executed. What else is known of a run is on disk; where there is none, the
///         last `script_finished` of recent ones is here.
/// Units:  steady time as an argument; an earlier process's runs lie before its start.
/// Source: dispatch-extension "Once only".
class RunJournal {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Entry {
    JournalState state = JournalState::queued;
    std::string finished_frame;  ///< empty unless it was kept here
  };

  /// False if the id is known already: the run must not be executed.
  bool accept(const RunId& id, Time now);
  void running(const RunId& id);
  void finished(const RunId& id);
  /// For `query_script`, where no disk has it.
  void keep_frame(const RunId& id, std::string finished_frame);
  /// What an earlier process accepted, in that order, before anything is accepted here.
  void remember(const RunId& id, Time accepted);

  std::optional<Entry> find(const RunId& id) const;
  std::size_t size() const { return entries_.size(); }
  std::size_t count_frames() const { return frames_.size(); }

 private:
  using Key = std::size_t;
  static Key key_of(const RunId& id) { return std::hash<RunId>{}(id); }
  void make_room(Time now);
  void trim_frames();
  void forget_frame(Key key);

  struct Accepted {
    Key key;
    Time at;
  };
  std::unordered_map<Key, JournalState> entries_;
  std::deque<Accepted> by_age_;
  std::unordered_map<Key, std::string> frames_;
  std::deque<Key> with_frame_;
  std::size_t frame_bytes_ = 0;
};

}  // namespace satellite::agent
