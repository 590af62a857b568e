#pragma once

#include "agent/status/status.hpp"

#include <chrono>
#include <deque>
#include <vector>

namespace satellite::agent {

/// The last hour, for small plots. Pure.
class StatusHistory {
 public:
  static constexpr std::chrono::seconds every{30};
  static constexpr std::size_t samples_max = 120;

  void add(const StatusSample& sample) {
    samples_.push_back(sample);
    if (samples_.size() > samples_max) samples_.pop_front();
  }
  std::vector<StatusSample> samples() const { return {samples_.begin(), samples_.end()}; }

 private:
  std::deque<StatusSample> samples_;
};

}  // namespace satellite::agent
