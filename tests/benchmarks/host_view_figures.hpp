#pragma once

#include "tests/benchmarks/figures.hpp"

#include <vector>

namespace satellite::benchmarks {

/// What it costs to show scripts the host: cold runs with eight disks, processes, system and four
/// ports in turns with runs that show nothing, and a connection to the host's loopback beside a
/// direct one.
///
/// Shape:  the ratio of `host_view` is the one to such a run without grants, of the same process.
std::vector<Figure> measure_host_view();

}  // namespace satellite::benchmarks
