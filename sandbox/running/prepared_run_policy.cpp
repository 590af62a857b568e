#include "sandbox/running/prepared_run_policy.hpp"

#include <algorithm>
#include <utility>

namespace satellite::sandbox {
namespace {

using namespace std::chrono_literals;

// While runs follow each other without a pause, making more ahead would only slow them down.
constexpr auto pause = 5ms;
// The start of a runtime takes two processors for as long as most scripts run; beside one that runs
// longer it is made all the same, since the next may begin before that one ends.
constexpr auto pause_while_busy = 25ms;
// A prepared run does not see what is mounted on the host after it was made.
constexpr auto age_max = 120s;
// Longer than the intervals of most checks; rarer runs need not start fast.
constexpr auto idle_max = 10min;
constexpr auto after_failure = 60s;
constexpr auto while_others_hold_it = 1s;

}  // namespace

std::optional<PreparedRunPolicy::Number> PreparedRunPolicy::take(const ResolvedPolicy& policy,
                                                                 Time now) {
  if (count_max_ == 0) return std::nullopt;
  if (last_run_ && now - *last_run_ >= pause) {
    at_once_ = std::min(std::max(at_once_, since_pause_), count_max_);
    since_pause_ = 0;
  }
  last_run_ = now;
  ++since_pause_;
  if (!asks_for_the_same(policy, policy_)) {
    policy_ = policy;
    allowed_ = count_max_;
    not_before_.reset();
    for (const auto& [number, one] : kept_) of_another_policy_.push_back(number);
    kept_.clear();
  }
  for (const auto& [number, one] : kept_) {
    if (!one.is_ready || now - one.made_at >= age_max) continue;
    const Number taken = number;
    kept_.erase(taken);
    return taken;
  }
  return std::nullopt;
}

void PreparedRunPolicy::making(Number number, Time now) {
  kept_.emplace(number, Kept{now});
}

void PreparedRunPolicy::ready(Number number) {
  const auto found = kept_.find(number);
  if (found != kept_.end()) found->second.is_ready = true;
}

void PreparedRunPolicy::lost(Number number, Time now) {
  if (kept_.erase(number) > 0) defer(now);
}

void PreparedRunPolicy::defer_briefly(Time now) {
  not_before_ = now + while_others_hold_it;
}

void PreparedRunPolicy::defer(Time now) {
  not_before_ = now + after_failure;
}

std::vector<PreparedRunPolicy::Number> PreparedRunPolicy::outdated(Time now) {
  auto numbers = std::exchange(of_another_policy_, {});
  for (auto one = kept_.begin(); one != kept_.end();) {
    const bool too_old = now - one->second.made_at >= age_max;
    if (is_wanted(now) && !too_old) {
      ++one;
      continue;
    }
    if (too_old && at_once_ > 1) --at_once_;
    numbers.push_back(one->first);
    one = kept_.erase(one);
  }
  return numbers;
}

bool PreparedRunPolicy::is_wanted(Time now) const {
  return last_run_ && now - *last_run_ < idle_max;
}

PreparedRunPolicy::Time PreparedRunPolicy::pause_over_at() const {
  if (is_busy_) return *last_run_ + pause_while_busy;
  return std::max(*last_run_, idle_since_) + pause;
}

void PreparedRunPolicy::idle(Time now) {
  if (std::exchange(is_busy_, false)) idle_since_ = now;
}

std::size_t PreparedRunPolicy::wanted() const {
  return std::min({std::max(at_once_, since_pause_), count_max_, allowed_, fitting_});
}

bool PreparedRunPolicy::could_be_more() const {
  return kept_.size() < wanted() && count_ready() == kept_.size();
}

bool PreparedRunPolicy::lacks_one(Time now) const {
  if (!is_wanted(now) || now < pause_over_at()) return false;
  return (!not_before_ || now >= *not_before_) && could_be_more();
}

std::optional<PreparedRunPolicy::Time> PreparedRunPolicy::next_look(Time now) const {
  std::optional<Time> first;
  const auto consider = [&first](Time at) {
    if (!first || at < *first) first = at;
  };
  if (!of_another_policy_.empty()) consider(now);
  for (const auto& [number, one] : kept_) consider(one.made_at + age_max);
  if (!is_wanted(now)) return first;
  if (!kept_.empty()) consider(*last_run_ + idle_max);
  if (could_be_more()) {
    consider(std::max(pause_over_at(), not_before_.value_or(*last_run_)));
  }
  return first;
}

std::size_t PreparedRunPolicy::count_ready() const {
  return static_cast<std::size_t>(std::count_if(
      kept_.begin(), kept_.end(), [](const auto& one) { return one.second.is_ready; }));
}

}  // namespace satellite::sandbox
