#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// One thing that this satellite goes on without.
struct DegradedState {
  std::string name;  ///< a fixed word: `disk_full`, `policy_expired`
  std::string detail;
  std::chrono::system_clock::time_point since{};

  bool operator==(const DegradedState&) const = default;
};

/// All that is degraded at this moment, as status shows it.
///
/// Shape:  one entry for each subject (`connection`, `policy`, `runs`), which has one state at a
///         time; `since` stays while the name does.
class DegradedStates {
 public:
  using Time = std::chrono::system_clock::time_point;

  void enter(std::string_view subject, std::string name, std::string detail,
             Time now = std::chrono::system_clock::now());
  void leave(std::string_view subject);
  /// By subject.
  std::vector<DegradedState> all() const;
  /// The state of one subject, or null.
  const DegradedState* find(std::string_view subject) const;

 private:
  struct Entry {
    std::string subject;
    DegradedState state;
  };
  std::vector<Entry> entries_;
};

}  // namespace satellite::agent
