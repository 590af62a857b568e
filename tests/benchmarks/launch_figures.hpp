#pragma once

#include "tests/benchmarks/figures.hpp"

#include <vector>

namespace satellite::benchmarks {

/// The launcher alone, without a core: what a run costs with and without the parts that are made
/// ahead, where the processor's time goes, how many system calls it takes, and what others take.
std::vector<Figure> measure_launches(int rounds);

}  // namespace satellite::benchmarks
