#include "sandbox/running/prepared_run_policy.hpp"

#include <algorithm>
#include <utility>

namespace satellite::sandbox {
namespace {

using namespace std::chrono_literals;

// While runs follow each other without a pause, making others ahead would only get into their way.
constexpr auto pause = 5ms;
// What is mounted or installed on the host in the meantime, an older one does not see.
constexpr auto age_max = 120s;
// Longer than the intervals of most checks; who runs less often does not need to run fast.
constexpr auto idle_max = 10min;
constexpr auto after_failure = 60s;
constexpr auto while_others_hold_it = 1s;

}  // namespace

std::optional<Stock::Number> Stock::take(const ResolvedPolicy& policy, Time now) {
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

void Stock::making(Number number, Time now) {
  kept_.emplace(number, Kept{now});
}

void Stock::ready(Number number) {
  const auto found = kept_.find(number);
  if (found != kept_.end()) found->second.is_ready = true;
}

void Stock::lost(Number number, Time now) {
  if (kept_.erase(number) > 0) defer(now);
}

void Stock::defer_briefly(Time now) {
  not_before_ = now + while_others_hold_it;
}

void Stock::defer(Time now) {
  not_before_ = now + after_failure;
}

std::vector<Stock::Number> Stock::outdated(Time now) {
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

bool Stock::is_wanted(Time now) const {
  return last_run_ && now - *last_run_ < idle_max;
}

std::size_t Stock::wanted() const {
  return std::min({std::max(at_once_, since_pause_), count_max_, allowed_});
}

bool Stock::could_be_more() const {
  return kept_.size() < wanted() && count_ready() == kept_.size();
}

bool Stock::lacks_one(Time now) const {
  if (!is_wanted(now) || now < *last_run_ + pause) return false;
  return (!not_before_ || now >= *not_before_) && could_be_more();
}

std::optional<Stock::Time> Stock::next_look(Time now) const {
  std::optional<Time> first;
  const auto consider = [&first](Time at) {
    if (!first || at < *first) first = at;
  };
  if (!of_another_policy_.empty()) consider(now);
  for (const auto& [number, one] : kept_) consider(one.made_at + age_max);
  if (!is_wanted(now)) return first;
  if (!kept_.empty()) consider(*last_run_ + idle_max);
  if (could_be_more()) {
    consider(std::max(*last_run_ + pause, not_before_.value_or(*last_run_)));
  }
  return first;
}

std::size_t Stock::count_ready() const {
  return static_cast<std::size_t>(std::count_if(
      kept_.begin(), kept_.end(), [](const auto& one) { return one.second.is_ready; }));
}

}  // namespace satellite::sandbox
