#pragma once

#include "tests/benchmarks/figures.hpp"

#include <vector>

namespace satellite::benchmarks {

/// Where the time of a native run goes: the same run with one layer less each, in turns with the
/// whole one, so that a busy machine is as busy for all of them.
std::vector<Figure> measure_layers();

}  // namespace satellite::benchmarks
