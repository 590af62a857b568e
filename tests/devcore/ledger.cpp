#include "tests/devcore/ledger.hpp"

#include <algorithm>

namespace satellite::devcore {
namespace {

constexpr std::size_t frames_kept = 50'000;
constexpr std::size_t texts_kept = 1'000;

void keep(std::vector<std::string>& texts, std::string text) {
  if (texts.size() < texts_kept) texts.push_back(std::move(text));
}

}  // namespace

void Ledger::count(const std::function<void(Counters&)>& change) {
  const std::lock_guard lock(mutex_);
  change(counters_);
  wake_satisfied();
}

/// Is this the next message of its run? A repeated one is a resend and changes nothing.
bool Ledger::takes_seq(CollectedRun& run, std::uint64_t seq, MayLeaveOut may_leave_out) {
  if (seq < run.seq_expected) {
    ++run.repeated;
    return false;
  }
  if (seq > run.seq_expected && may_leave_out == MayLeaveOut::nothing) {
    keep(run.violations, "seq " + std::to_string(seq) + " came where " +
                             std::to_string(run.seq_expected) + " was due");
  }
  run.seq_expected = seq + 1;
  return true;
}

void Ledger::note_run(const protocol::ScriptAccepted& message) {
  runs_[message.run_id.text].accepted = message;
}

void Ledger::note_run(const protocol::ScriptRejected& message) {
  runs_[message.run_id.text].rejected = message;
}

void Ledger::note_run(const protocol::ScriptStarted& message) {
  CollectedRun& run = runs_[message.run_id.text];
  if (!takes_seq(run, message.seq)) return;
  if (run.started) keep(run.violations, "started twice");
  run.started = message;
}

void Ledger::note_run(const protocol::ScriptOutput& message) {
  CollectedRun& run = runs_[message.run_id.text];
  if (!takes_seq(run, message.seq)) return;
  ++run.output_frames;
  run.output_bytes += message.bytes.size();
  if (!run.started) keep(run.violations, "output before the start");
  if (run.finished) keep(run.violations, "output after the end");
  if (!collect_output_) return;
  const bool is_error = message.stream == protocol::OutputStream::standard_error;
  std::string& stream = is_error ? run.standard_error : run.standard_output;
  if (message.offset != stream.size()) {
    keep(run.violations, "offset " + std::to_string(message.offset) + " came where " +
                             std::to_string(stream.size()) + " was due");
  }
  if (stream.size() + message.bytes.size() <= collected_max_.value) stream += message.bytes;
}

void Ledger::note_run(const protocol::ScriptFinished& message) {
  CollectedRun& run = runs_[message.run_id.text];
  // What a satellite had not written when it was killed is lost with it.
  const auto may_leave_out =
      message.outcome == "interrupted" ? MayLeaveOut::what_was_lost : MayLeaveOut::nothing;
  if (!takes_seq(run, message.seq, may_leave_out)) return;
  if (run.finished) keep(run.violations, "finished twice");
  run.finished = message;
}

void Ledger::note_run(const protocol::ScriptStatus& message) {
  runs_[message.run_id.text].statuses.push_back(message);
}

void Ledger::note_frame(std::string_view type, std::string_view text) {
  const std::lock_guard lock(mutex_);
  ++counters_.frames;
  counters_.bytes += text.size();
  if (type == "script_output" || frames_.size() >= frames_kept) return;
  frames_.push_back({std::string(type), std::string(text)});
  wake_satisfied();
}

void Ledger::note(const protocol::AgentMessage& message) {
  const std::lock_guard lock(mutex_);
  std::visit([this](const auto& one) { note_run(one); }, message);
  wake_satisfied();
}

void Ledger::note_invalid(const std::string& why) {
  const std::lock_guard lock(mutex_);
  ++counters_.invalid_frames;
  keep(invalid_, why);
  wake_satisfied();
}

void Ledger::note_goodbye(std::string text) {
  const std::lock_guard lock(mutex_);
  keep(goodbyes_, std::move(text));
  wake_satisfied();
}

Counters Ledger::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

std::uint64_t Ledger::seq_expected(const std::string& run_id) const {
  const std::lock_guard lock(mutex_);
  const CollectedRun* run = run_locked(run_id);
  return run != nullptr ? run->seq_expected : 0;
}

std::vector<std::string> Ledger::run_ids() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  for (const auto& [id, run] : runs_) ids.push_back(id);
  return ids;
}

CollectedRun Ledger::run(const std::string& run_id) const {
  const std::lock_guard lock(mutex_);
  const CollectedRun* run = run_locked(run_id);
  return run != nullptr ? *run : CollectedRun{};
}

std::vector<std::string> Ledger::frames(const std::string& type, std::size_t from) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> texts;
  std::size_t passed = 0;
  for (const ReceivedFrame& frame : frames_) {
    if (frame.type == type && passed++ >= from) texts.push_back(frame.text);
  }
  return texts;
}

std::vector<std::string> Ledger::invalid_frames() const {
  const std::lock_guard lock(mutex_);
  return invalid_;
}

std::vector<std::string> Ledger::goodbyes() const {
  const std::lock_guard lock(mutex_);
  return goodbyes_;
}

bool Ledger::wait(std::chrono::milliseconds timeout, const Condition& condition) const {
  std::unique_lock lock(mutex_);
  if (condition(*this)) return true;
  Waiter waiter{condition};
  const auto place = waiters_.insert(waiters_.end(), &waiter);
  waiter.news.wait_for(lock, timeout, [&waiter] { return waiter.is_satisfied; });
  waiters_.erase(place);
  return waiter.is_satisfied;
}

/// Asks for those who wait, so that none of them wakes up for what it does not wait for: a
/// benchmark would measure that.
void Ledger::wake_satisfied() {
  for (Waiter* const waiter : waiters_) {
    if (waiter->is_satisfied || !waiter->condition(*this)) continue;
    waiter->is_satisfied = true;
    waiter->news.notify_one();
  }
}

const CollectedRun* Ledger::run_locked(const std::string& run_id) const {
  const auto found = runs_.find(run_id);
  return found != runs_.end() ? &found->second : nullptr;
}

std::size_t Ledger::frame_count_locked(const std::string& type) const {
  const auto is_of_type = [&type](const ReceivedFrame& frame) { return frame.type == type; };
  return static_cast<std::size_t>(std::count_if(frames_.begin(), frames_.end(), is_of_type));
}

}  // namespace satellite::devcore
