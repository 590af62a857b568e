#pragma once

#include <chrono>
#include <string>

namespace satellite::agent {

/// A duration for people: `35ms`, `1.2s`, `45s`, `5m10s`, `2h5m`, `3d4h`; two units at most. A
/// negative one is none. Pure.
std::string duration_text(std::chrono::milliseconds duration);

}  // namespace satellite::agent
