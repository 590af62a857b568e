#include "agent/dispatch/run_journal.hpp"

#include "protocol/vocabulary/limits.hpp"

namespace satellite::agent {
namespace {

// Frames of finished runs answer `query_script`; the ids matter more and stay much longer.
constexpr ByteCount finished_frames_max{4U << 20U};

}  // namespace

bool RunJournal::accept(const RunId& id, Time now) {
  make_room(now);
  if (!entries_.emplace(id, Entry{}).second) return false;
  by_age_.push_back(Accepted{id, now});
  return true;
}

void RunJournal::running(const RunId& id) {
  const auto found = entries_.find(id);
  if (found != entries_.end()) found->second.state = JournalState::running;
}

void RunJournal::finished(const RunId& id, std::string finished_frame) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  found->second.state = JournalState::finished;
  frame_bytes_ += finished_frame.size();
  found->second.finished_frame = std::move(finished_frame);
  with_frame_.push_back(id);
  trim_frames();
}

std::optional<RunJournal::Entry> RunJournal::find(const RunId& id) const {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  return found->second;
}

void RunJournal::make_room(Time now) {
  // One look at each entry at most: a run that still goes on moves to the end and is seen next
  // time.
  for (std::size_t looks = by_age_.size(); looks > 0; --looks) {
    Accepted oldest = std::move(by_age_.front());
    const bool too_old = now - oldest.at >= limits::run_ids_kept_for;
    if (!too_old && entries_.size() < limits::run_ids_kept_max) {
      by_age_.front() = std::move(oldest);
      return;
    }
    by_age_.pop_front();
    const auto found = entries_.find(oldest.id);
    if (found == entries_.end()) continue;
    if (found->second.state != JournalState::finished) {
      by_age_.push_back(std::move(oldest));
      continue;
    }
    frame_bytes_ -= found->second.finished_frame.size();
    entries_.erase(found);
  }
}

void RunJournal::trim_frames() {
  while (!with_frame_.empty()) {
    const auto found = entries_.find(with_frame_.front());
    // One that was forgotten with its frame goes in any case, or short frames would pile up names.
    if (found != entries_.end() && frame_bytes_ <= finished_frames_max.value) return;
    if (found != entries_.end()) {
      frame_bytes_ -= found->second.finished_frame.size();
      found->second.finished_frame.clear();
      found->second.finished_frame.shrink_to_fit();
    }
    with_frame_.pop_front();
  }
}

}  // namespace satellite::agent
