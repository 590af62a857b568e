#pragma once

#include "tests/benchmarks/figures.hpp"

#include <vector>

namespace satellite::benchmarks {

/// What ten thousand checks on timers cost: a satellite of its own, measured while it takes them
/// and while it has nothing to do but wait for them.
std::vector<Figure> measure_checks();

}  // namespace satellite::benchmarks
