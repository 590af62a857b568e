#pragma once

#include "sandbox/launcher/bare/native_setup.hpp"
#include "sandbox/launcher/wire/launch_order.hpp"

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// The order of a native run as the child walks it: C strings and plain structs, made before the
/// fork.
///
/// Shape:  borrows the order's texts; neither may move or go before the fork. Setup and namespaces
///         are for a child that is a copy of this process.
class NativePreparation {
 public:
  NativePreparation(const LaunchOrder& order, const Identity& owner, bool launcher_is_root);
  NativePreparation(const NativePreparation&) = delete;
  NativePreparation& operator=(const NativePreparation&) = delete;

  const bare::NativeSetup& setup() const { return setup_; }
  std::uint64_t new_namespaces() const { return new_namespaces_; }

 private:
  const char* kept(std::string text) { return texts_.emplace_back(std::move(text)).c_str(); }
  std::string memory_options(const FileStep& step, const Identity& owner) const;

  std::deque<std::string> texts_;
  std::vector<bare::PreparedStep> steps_;
  bare::NativeSetup setup_;
  std::uint64_t new_namespaces_ = 0;
};

}  // namespace satellite::sandbox
