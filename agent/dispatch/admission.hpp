#pragma once

#include "protocol/vocabulary/ids.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace satellite::agent {

enum class Priority { high, normal, low };

/// What the dispatcher needs to know about a run to give it a place.
struct AdmissionRequest {
  RunId id;
  Priority priority = Priority::normal;
  std::optional<std::chrono::steady_clock::time_point> start_before;
};

struct Admitted {
  std::size_t position = 0;  ///< runs that start before this one; 0 = starting now
};

enum class RejectionCode { queue_full, expired, shutting_down };

using Admission = std::variant<Admitted, RejectionCode>;

struct AdmissionLimits {
  std::size_t concurrency = 1;
  std::size_t queue_length = 0;
};

/// Who runs now, who waits, who is turned away. Pure: knows ids and times, starts nothing.
///
/// Shape:  `concurrency` places; behind them one queue, high before normal before low, first come
///         first served within a priority. Bounded by construction: a full queue rejects.
/// Units:  time is an argument, of a clock that nobody can set.
class AdmissionQueue {
 public:
  explicit AdmissionQueue(AdmissionLimits limits) : limits_(limits) {}

  /// A run that finds a free place is still queued: next_to_start hands it out.
  Admission admit(const AdmissionRequest& request, std::chrono::steady_clock::time_point now);

  /// The next run to start, which takes a place; nothing while all places are taken.
  std::optional<RunId> next_to_start();

  /// Queued runs whose time has passed; they leave the queue.
  std::vector<RunId> take_expired(std::chrono::steady_clock::time_point now);

  /// Removes a run that waits; false if it does not.
  bool withdraw(const RunId& id);

  /// Gives back the place of a run that had started.
  void finished() { --running_; }

  void shut_down() { shutting_down_ = true; }
  std::size_t running() const { return running_; }
  std::size_t queued() const;
  /// How many start before this one; nothing if it does not wait.
  std::optional<std::size_t> position_of(const RunId& id) const;

 private:
  struct Waiting {
    RunId id;
    std::optional<std::chrono::steady_clock::time_point> start_before;
  };

  AdmissionLimits limits_;
  std::array<std::deque<Waiting>, 3> queues_;
  std::size_t running_ = 0;
  bool shutting_down_ = false;
};

}  // namespace satellite::agent
