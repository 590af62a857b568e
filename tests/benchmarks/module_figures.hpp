#pragma once

#include "tests/benchmarks/figures.hpp"

#include <vector>

namespace satellite::benchmarks {

/// Scripts in JavaScript by each runtime of this host, beside a bare start of the same runtime in
/// the same rounds: started when they are asked for, and by a runtime that stood ready.
std::vector<Figure> measure_modules();

}  // namespace satellite::benchmarks
