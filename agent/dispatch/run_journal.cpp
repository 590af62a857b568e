#include "agent/dispatch/run_journal.hpp"

#include "protocol/vocabulary/limits.hpp"

#include <utility>

namespace satellite::agent {
namespace {

// Frames of finished runs answer `query_script`; the ids matter more and stay much longer.
constexpr ByteCount finished_frames_max{4U << 20U};

}  // namespace

bool RunJournal::accept(const RunId& id, Time now) {
  make_room(now);
  if (!entries_.emplace(key_of(id), JournalState::queued).second) return false;
  by_age_.push_back(Accepted{key_of(id), now});
  return true;
}

void RunJournal::running(const RunId& id) {
  const auto found = entries_.find(key_of(id));
  if (found != entries_.end()) found->second = JournalState::running;
}

void RunJournal::finished(const RunId& id) {
  const auto found = entries_.find(key_of(id));
  if (found != entries_.end()) found->second = JournalState::finished;
}

void RunJournal::keep_frame(const RunId& id, std::string finished_frame) {
  const Key key = key_of(id);
  if (entries_.count(key) == 0 || frames_.count(key) == 1) return;
  frame_bytes_ += finished_frame.size();
  frames_.emplace(key, std::move(finished_frame));
  with_frame_.push_back(key);
  trim_frames();
}

void RunJournal::remember(const RunId& id, Time accepted) {
  if (!entries_.emplace(key_of(id), JournalState::finished).second) return;
  by_age_.push_back(Accepted{key_of(id), accepted});
}

std::optional<RunJournal::Entry> RunJournal::find(const RunId& id) const {
  const auto found = entries_.find(key_of(id));
  if (found == entries_.end()) return std::nullopt;
  const auto frame = frames_.find(key_of(id));
  return Entry{found->second, frame == frames_.end() ? std::string() : frame->second};
}

void RunJournal::make_room(Time now) {
  // One look at each entry at most: a run that still goes on moves to the end and is seen next
  // time.
  for (std::size_t looks = by_age_.size(); looks > 0; --looks) {
    const Accepted oldest = by_age_.front();
    const bool too_old = now - oldest.at >= limits::run_ids_kept_for;
    if (!too_old && entries_.size() < limits::run_ids_kept_max) return;
    by_age_.pop_front();
    const auto found = entries_.find(oldest.key);
    if (found == entries_.end()) continue;
    if (found->second != JournalState::finished) {
      by_age_.push_back(oldest);
      continue;
    }
    entries_.erase(found);
    forget_frame(oldest.key);
  }
}

void RunJournal::trim_frames() {
  while (!with_frame_.empty()) {
    const Key key = with_frame_.front();
    if (frames_.count(key) == 1 && frame_bytes_ <= finished_frames_max.value) return;
    forget_frame(key);
    with_frame_.pop_front();
  }
}

void RunJournal::forget_frame(Key key) {
  const auto found = frames_.find(key);
  if (found == frames_.end()) return;
  frame_bytes_ -= found->second.size();
  frames_.erase(found);
}

}  // namespace satellite::agent
