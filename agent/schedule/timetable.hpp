#pragma once

#include "protocol/core_messages.hpp"

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace satellite::agent {

/// One check on its own timer, as the core wants it now.
struct PlannedRun {
  std::string key;  ///< who it is: check, system, environment
  std::chrono::nanoseconds interval{0};
  std::uint64_t fingerprint = 0;  ///< of all that a run depends on, the interval aside
  std::shared_ptr<const protocol::Assignment> assignment;
  std::optional<std::string> environment_id;
};

/// When each check runs. Pure: time goes in with every call.
///
/// Shape:  every check has its ticks on a grid of its own, at a phase within its interval that only
///         its key decides; so checks spread themselves evenly and keep their places over pushes,
///         reconnects and restarts. A new or changed check runs once soon, spread over
///         `first_run_within`, and is on its grid from then on. What is due and finds no place
///         waits; the longest overdue goes first. A check never overlaps itself: ticks that pass
///         while it runs or waits become one run and are counted.
/// Units:  steady time; costs are logarithmic in the number of checks, per run and per offer.
/// Source: core-contract 2.2, 9-A1 to 9-A3.
class Timetable {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::nanoseconds;

  struct Settings {
    std::size_t runs_at_a_time = 32;
    std::size_t checks_max = 50'000;
    Duration interval_min = std::chrono::seconds(1);
    Duration interval_max = std::chrono::hours(24 * 31);
    Duration first_run_within = std::chrono::seconds(30);
    Duration run_deadline = std::chrono::minutes(15);
    std::string salt;  ///< this satellite's id: two of them do not check in step
  };
  explicit Timetable(Settings settings) : settings_(std::move(settings)) {}

  // A full set of checks, in slices, so that a large one does not block the event loop.
  /// Opens a new set; one that was not closed is given up, what it offered stays.
  void begin_set() { ++generation_; }
  enum class Offer {
    added,
    changed,   ///< its next run is the new one, and comes soon if more than its timing changed
    kept,      ///< nothing about its timing moves
    repeated,  ///< the same key twice in one set: the first holds
    refused,   ///< more checks than checks_max
  };
  Offer offer(PlannedRun run, Time now);
  /// Forgets up to `entries_max` checks that the set did not name; true once none is left. The runs
  /// of these that still go on are to be stopped; they count as running until finished().
  bool end_set(std::size_t entries_max, std::vector<std::uint64_t>& to_stop);

  /// A run to begin now.
  struct Start {
    std::uint64_t run = 0;
    PlannedRun plan;
    Time due;
    std::uint64_t coalesced = 0;  ///< earlier ticks this run also stands for
  };
  /// At most `starts_max`, so that even a long list of overdue checks comes in pieces.
  std::vector<Start> start_due(Time now, std::size_t starts_max);
  void finished(std::uint64_t run, Time now);
  /// Runs past their deadline, each reported once.
  std::vector<std::uint64_t> take_overdue(Time now);

  /// When start_due or take_overdue may next have something to say.
  std::optional<Time> next_event() const;

  std::size_t checks() const { return index_.size() - leaving_.size(); }
  /// Whether the core wants a check of this key.
  bool holds(std::string_view key) const;
  std::size_t running() const { return running_.size(); }
  std::uint64_t coalesced() const { return coalesced_; }

 private:
  struct Check {
    PlannedRun plan;
    Duration interval{0}, phase{0};
    std::uint64_t ordinal = 0, generation = 0;
    Time due;     ///< its next run; while it runs, the earliest after it
    Time served;  ///< the moment up to which its ticks are accounted for
    std::optional<Time> last_start;
    bool running = false, removed = false, comes_soon = false;
  };
  using Checks = std::list<Check>;
  struct Running {
    Checks::iterator check;
    Time deadline;
    bool reported = false;
  };

  double fraction_of(std::string_view key) const;
  void set_interval(Check& check, Duration interval) const;
  std::int64_t ticks_until(const Check& check, Time time) const;
  Time tick_after(const Check& check, Time time) const;
  Time soon_for(const Check& check, Time now) const;
  Offer add(PlannedRun run, Time now);
  Offer renew(Checks::iterator check, PlannedRun run, Time now);
  void wait_until(Checks::iterator check, Time due);
  void stop_waiting(Checks::iterator check);
  void forget(Checks::iterator check);

  Settings settings_;
  std::uint64_t generation_ = 0, ordinals_ = 0, runs_ = 0, coalesced_ = 0;
  Checks checks_;   ///< the longest not offered first
  Checks leaving_;  ///< removed, but their runs still go on
  std::unordered_map<std::string_view, Checks::iterator> index_;  ///< keys live in the checks
  std::map<std::pair<Time, std::uint64_t>, Checks::iterator> waiting_;
  std::map<std::uint64_t, Running> running_;
};

}  // namespace satellite::agent
