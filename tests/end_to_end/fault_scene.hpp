#pragma once

#include "tests/end_to_end/check_scene.hpp"
#include "tests/support/fault_proxy.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace satellite::tests {

/// A satellite with a check a second, a core that acknowledges, and a network between them that can
/// be broken. Waits between attempts are those of seconds, by settings.
class FaultScene {
 public:
  struct Options {
    Scene::Options scene;
    LinkFault to_core, to_satellite;  ///< from the first connection on
    bool waits_until_connected = true;
    /// Gives up a silent core, and an attempt, after 3 s instead of 60. A busy host may be taken
    /// for that, so only where something is to be given up.
    bool is_impatient = false;
  };
  FaultScene() : FaultScene(Options{}) {}
  explicit FaultScene(Options options);

  Scene* operator->() { return &scene_; }
  Scene& scene() { return scene_; }
  FaultProxy& proxy() { return proxy_; }

  std::size_t lines(const std::string& words) const;
  /// Until the log has so many of them in all: one that is counted from now on may have come
  /// already, where it answers to what the test did just before.
  void wait_for_lines(const std::string& words, std::size_t count);

  /// What must hold whatever the network does: the process lives, has used little processor time
  /// and memory since the last call or the beginning, and checks go on, so nothing keeps its loop.
  void check_well();
  /// The network is right again: connected, and every result that was made has come, none under two
  /// ids.
  void check_recovery();

 private:
  std::chrono::nanoseconds processor_time();

  FaultProxy proxy_;
  Scene scene_;
  std::chrono::steady_clock::time_point since_;
  std::chrono::nanoseconds used_before_{0};
};

}  // namespace satellite::tests
