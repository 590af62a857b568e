#pragma once

#include "tests/benchmarks/figures.hpp"

#include <vector>

namespace satellite::benchmarks {

/// What the pure parts of a run cost alone, in this process: the plan, the policy's text, and what
/// stands between a script's pipe and the core's frames.
std::vector<Figure> measure_core();

}  // namespace satellite::benchmarks
