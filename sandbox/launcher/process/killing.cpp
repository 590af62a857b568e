#include "sandbox/launcher/process/killing.hpp"

#include "sandbox/launcher/wire/records.hpp"

#include <algorithm>

namespace satellite::sandbox {
namespace {

// Init answers a kill within milliseconds; a process stuck in the kernel may take longer.
constexpr std::chrono::seconds first_pause(1);
constexpr std::chrono::seconds pause_max(60);

}  // namespace

void Killing::begin(TimePoint now) {
  if (overdue_at_) return;
  if (stage_ == Stage::idle) stage_ = Stage::killing;
  pause_ = first_pause;
  overdue_at_ = now + pause_;
  give_up_at_ = now + unkillable_after;
}

bool Killing::take_overdue(TimePoint now) {
  if (!overdue_at_ || now < *overdue_at_) return false;
  pause_ = std::min<TimePoint::duration>(2 * pause_, pause_max);
  overdue_at_ = now + pause_;
  return true;
}

bool Killing::take_give_up(TimePoint now) {
  if (stage_ != Stage::killing || now < give_up_at_) return false;
  stage_ = Stage::unkillable;
  return true;
}

std::optional<Killing::TimePoint> Killing::next_look() const {
  if (!overdue_at_) return std::nullopt;
  return is_unkillable() ? *overdue_at_ : std::min(*overdue_at_, give_up_at_);
}

}  // namespace satellite::sandbox
