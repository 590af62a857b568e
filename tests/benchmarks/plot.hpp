#pragma once

#include "tests/benchmarks/figures.hpp"

#include <string>
#include <vector>

namespace satellite::benchmarks {

struct Distribution {
  std::string name;
  Samples
      samples;  ///< in microseconds; the first distribution is what the others are compared with
};

/// An SVG document: a row for each, with the shape of its distribution over a logarithmic axis of
/// time, its median and its 99th percentile. Pure.
std::string plot(const std::vector<Distribution>& distributions);

}  // namespace satellite::benchmarks
