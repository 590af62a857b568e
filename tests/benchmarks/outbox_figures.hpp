#pragma once

#include "tests/benchmarks/figures.hpp"

#include <vector>

namespace satellite::benchmarks {

/// What it costs to lose nothing: results written and synced, a start with many of them waiting,
/// and how fast these reach a core.
std::vector<Figure> measure_outbox();

}  // namespace satellite::benchmarks
