#pragma once

namespace satellite::sandbox {

/// The parts of a run's sandbox that can be made before anybody asks for the run.
struct MadeAhead {
  bool root = false, network = false;
  bool operator==(const MadeAhead&) const = default;
};

}  // namespace satellite::sandbox
