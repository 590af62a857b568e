#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace satellite::agent {

/// How long something took, in buckets.
///
/// Units:  bounds are upper ones in seconds, ascending; one more bucket holds what is above all.
/// Source: https://prometheus.io/docs/concepts/metric_types "Histogram".
template <std::size_t Size>
struct Histogram {
  std::array<double, Size> bounds{};
  std::array<std::uint64_t, Size + 1> counts{};
  double sum = 0;

  void add(std::chrono::microseconds took) {
    const double seconds = std::max(0.0, std::chrono::duration<double>(took).count());
    const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), seconds);
    ++counts[static_cast<std::size_t>(bucket - bounds.begin())];
    sum += seconds;
  }
  std::uint64_t count() const {
    std::uint64_t all = 0;
    for (const std::uint64_t one : counts) all += one;
    return all;
  }
};

}  // namespace satellite::agent
