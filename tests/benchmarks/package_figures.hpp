#pragma once

#include "tests/benchmarks/figures.hpp"

#include <vector>

namespace satellite::benchmarks {

/// What a tree of script packages costs whose packages are in the store already, beside copying as
/// many files; in turns, so that a busy disk is as busy for both.
std::vector<Figure> measure_packages();

}  // namespace satellite::benchmarks
