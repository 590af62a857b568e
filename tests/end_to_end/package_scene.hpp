#pragma once

#include "tests/end_to_end/scene.hpp"
#include "tests/support/satellite_process.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/test_packages.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace satellite::tests {

/// A core with packages, and a satellite whose state directory belongs to this test and outlives
/// it.
class PackageScene {
 public:
  explicit PackageScene(devcore::PackageShelf shelf) { start(std::move(shelf)); }

  /// Another core and another satellite with the same state directory.
  void start(devcore::PackageShelf shelf);
  void stop() { scene_.reset(); }
  Scene* operator->() { return scene_.get(); }

  std::string state() const { return files_.path().string(); }
  std::filesystem::path root() const { return files_.path() / "script-packages"; }
  std::filesystem::path modules(const devcore::PackageShelf& shelf) const {
    return root() / "trees" / *shelf.statement.lockfile_hash / "node_modules";
  }

  /// The states that were said so far: `status hash12 error`.
  std::vector<std::string> said();
  /// Waits until a state with these words was said, and gives it whole.
  std::string wait_said(const std::string& words);
  std::string ready(const devcore::PackageShelf& shelf) {
    return wait_said("ready " + shelf.statement.lockfile_hash->substr(0, 12));
  }
  /// How many frames of this type came.
  std::size_t asked(const char* type) { return scene_->core().ledger().frames(type).size(); }

 private:
  TempDir files_;
  std::unique_ptr<Scene> scene_;
};

}  // namespace satellite::tests
