#include "agent/runtime/degraded_states.hpp"

#include <algorithm>
#include <utility>

namespace satellite::agent {

void DegradedStates::enter(std::string_view subject, std::string name, std::string detail,
                           Time now) {
  const auto place = std::lower_bound(
      entries_.begin(), entries_.end(), subject,
      [](const Entry& entry, std::string_view wanted) { return entry.subject < wanted; });
  if (place == entries_.end() || place->subject != subject) {
    entries_.insert(place, Entry{std::string(subject), {std::move(name), std::move(detail), now}});
    return;
  }
  if (place->state.name != name) place->state.since = now;
  place->state.name = std::move(name);
  place->state.detail = std::move(detail);
}

void DegradedStates::leave(std::string_view subject) {
  std::erase_if(entries_, [subject](const Entry& entry) { return entry.subject == subject; });
}

std::vector<DegradedState> DegradedStates::all() const {
  std::vector<DegradedState> states;
  for (const Entry& entry : entries_) states.push_back(entry.state);
  return states;
}

const DegradedState* DegradedStates::find(std::string_view subject) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [subject](const Entry& entry) {
    return entry.subject == subject;
  });
  return found == entries_.end() ? nullptr : &found->state;
}

}  // namespace satellite::agent
