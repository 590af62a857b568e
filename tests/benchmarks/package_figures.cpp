#include "tests/benchmarks/package_figures.hpp"

#include "agent/packages/package_disk.hpp"
#include "protocol/vocabulary/base64.hpp"
#include "tests/support/satellite_process.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/test_packages.hpp"

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace satellite::benchmarks {
namespace {

namespace fs = std::filesystem;
using namespace satellite::agent;
using namespace satellite::tests;
using Clock = std::chrono::steady_clock;

constexpr int package_rounds = 15;
constexpr int packages_of_a_tree = 20;
constexpr int files_of_a_package = 50;  // 1,000 together, each of 4 KiB

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

std::vector<TestPackage> thousand_files() {
  std::vector<TestPackage> packages;
  for (int i = 0; i < packages_of_a_tree; ++i) {
    TestPackage package;
    package.name = "package-" + std::to_string(10 + i);
    package.version = "1.0.0";
    if (i > 0) package.dependencies["package-" + std::to_string(9 + i)] = "^1";
    for (int file = 1; file < files_of_a_package; ++file) {
      package.files["lib/" + std::to_string(file) + ".js"] =
          std::string(4'096, static_cast<char>('a' + file % 26));
    }
    packages.push_back(std::move(package));
  }
  return packages;
}

void must_be(const Result<void>& done) {
  if (!done) throw std::runtime_error(done.error().message);
}

}  // namespace

std::vector<Figure> measure_packages() {
  const TempDir files;
  const auto shelf = shelf_with(thousand_files());
  const std::string hash = *shelf.statement.lockfile_hash;
  PackageDisk disk({(files.path() / "state").string(), files.path().string(), satellite_program()},
                   {});
  auto missing = disk.compare(shelf.manifests.at(hash));
  if (!missing) throw std::runtime_error(missing.error().message);
  const auto start_unpacking = Clock::now();
  for (const std::size_t index : missing->entries) {
    const auto& package = missing->manifest.entries.at(index);
    std::string base64;
    append_base64(base64, shelf.blobs.at(package.integrity));
    must_be(disk.take_blob(package, base64));
  }
  const double unpacking = milliseconds_since(start_unpacking);
  const fs::path root = packages_directory_in((files.path() / "state").string());
  const fs::path tree = root / "trees" / hash;
  Samples built, copied;
  for (int round = 0; round < package_rounds; ++round) {
    fs::remove_all(tree);
    const auto start_building = Clock::now();
    must_be(disk.build(missing->manifest));
    built.push_back(milliseconds_since(start_building));
    const fs::path copy = files.path() / "copy";
    fs::remove_all(copy);
    const auto start_copying = Clock::now();
    fs::copy(root / "store", copy, fs::copy_options::recursive);
    copied.push_back(milliseconds_since(start_copying));
  }
  const double building = median(built), copying = median(copied);
  return {{"packages_unpack", "20 archives of 1,000 files together, confined", unpacking, "ms",
           unpacking / copying, ""},
          {"packages_copy", "copying 1,000 files of 4 KiB", copying, "ms", 1.0, ""},
          {"packages_build", "a tree of them from a warm store / copying them", building, "ms",
           building / copying, "<= 0.5x"}};
}

}  // namespace satellite::benchmarks
