#include "agent/packages/package_disk.hpp"
#include "agent/packages/store/package_trees.hpp"
#include "protocol/vocabulary/base64.hpp"
#include "tests/support/file_text.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/satellite_process.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/test_packages.hpp"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;
namespace fs = std::filesystem;

namespace {

const std::vector<TestPackage> tree_packages{
    {"@scope/tool", "1.0.0", {{"bin/run.js", "go"}}, {{"left", "^2.0.0"}, {"@scope/x", "*"}}, {}},
    {"@scope/x", "3.1.0", {{"lib/deep/a.js", "a"}}, {}, {}},
    {"left", "1.0.0", {{"index.js", "1"}}, {}, {}},
    {"left", "2.5.0", {{"index.js", "2"}}, {{"@scope/x", "^3"}}, {}}};

/// What the synchronisation does on disk, without the core.
class Disk {
 public:
  Disk(const TempDir& files, std::string state = "state")
      : place_{(files.path() / state).string(), files.path().string(), satellite_program()} {
    restart();
  }
  void restart() {
    disk_.reset();
    disk_ = std::make_unique<PackageDisk>(place_, std::stop_token());
  }
  PackageDisk* operator->() { return disk_.get(); }

  /// Fetches and builds; the hash.
  std::string sync(const std::vector<TestPackage>& packages) {
    const auto shelf = shelf_with(packages);
    const std::string hash = *shelf.statement.lockfile_hash;
    auto missing = disk_->compare(shelf.manifests.at(hash));
    if (!missing) throw std::runtime_error(missing.error().message);
    for (const std::size_t index : missing->entries) {
      const auto& package = missing->manifest.entries.at(index);
      std::string base64;
      append_base64(base64, shelf.blobs.at(package.integrity));
      const auto taken = disk_->take_blob(package, base64);
      if (!taken) throw std::runtime_error(taken.error().message);
    }
    const auto built = disk_->build(missing->manifest);
    if (!built) throw std::runtime_error(built.error().message);
    return hash;
  }
  fs::path root() const { return packages_directory_in(place_.state_directory); }
  fs::path node_modules(const std::string& hash) const {
    return root() / "trees" / hash / "node_modules";
  }

 private:
  PackagesPlace place_;
  std::unique_ptr<PackageDisk> disk_;
};

}  // namespace

TEST_CASE("a tree shows each package what it declares, through links that stay inside") {
  const TempDir files;
  Disk disk(files);
  const std::string hash = disk.sync(tree_packages);
  const fs::path modules = disk.node_modules(hash);
  // Nobody accepts 1.0.0, so the operator asked for it.
  CHECK(file_text(modules / "left/index.js") == "1");
  const fs::path tool = fs::canonical(modules / "@scope/tool");
  CHECK(tool == fs::canonical(modules) / ".store/@scope+tool@1.0.0/node_modules/@scope/tool");
  CHECK(file_text(tool / "../../left/index.js") == "2");
  CHECK(file_text(tool / "../x/lib/deep/a.js") == "a");
  const fs::path left = fs::canonical(tool / "../../left");
  CHECK(file_text(left / "../@scope/x/lib/deep/a.js") == "a");
  std::size_t links = 0;
  for (const auto& entry : fs::recursive_directory_iterator(modules)) {
    if (!entry.is_symlink()) continue;
    ++links;
    INFO(entry.path());
    CHECK(fs::read_symlink(entry.path()).is_relative());
    CHECK(fs::canonical(entry.path()).string().starts_with(fs::canonical(modules).string()));
  }
  CHECK(links == 6);
  CHECK(fs::hard_link_count(modules / "left/index.js") == 2);
  const auto mode = fs::status(tool / "bin/run.js").permissions();
  CHECK((mode & fs::perms::mask) == fs::perms(0555));
}

TEST_CASE("a tree in use is there again after a restart, and is healed without the core") {
  const TempDir files;
  Disk disk(files);
  const std::string hash = disk.sync(tree_packages);
  REQUIRE(disk->use(hash));
  CHECK(fs::read_symlink(disk.root() / "current") == "trees/" + hash);
  disk.restart();
  auto current = disk->open();
  REQUIRE(current);
  CHECK(*current == hash);

  SECTION("a file of the tree is gone") {
    fs::remove(disk.node_modules(hash) / "left/index.js");
    disk.restart();
    current = disk->open();
    REQUIRE(current);
    CHECK(*current == hash);
    CHECK(file_text(disk.node_modules(hash) / "left/index.js") == "1");
  }
  SECTION("the tree was never completed") {
    fs::remove(disk.node_modules(hash) / "../.complete");
    disk.restart();
    current = disk->open();
    REQUIRE(current);
    CHECK(*current == hash);
  }
  SECTION("the store has lost a package of a tree that is damaged") {
    fs::remove(disk.node_modules(hash) / "left/index.js");
    for (const auto& entry : fs::directory_iterator(disk.root() / "store")) {
      fs::remove_all(entry.path());
      break;
    }
    disk.restart();
    current = disk->open();
    REQUIRE(current);
    CHECK_FALSE(current->has_value());
    const auto found = disk->look_for(hash);
    REQUIRE(found);
    CHECK_FALSE(*found);
    CHECK(disk.sync(tree_packages) == hash);
  }
  SECTION("the content of a file is other than it was, and the host had stopped") {
    const fs::path file = disk.node_modules(hash) / "left/index.js";
    fs::permissions(file, fs::perms::owner_all);
    std::ofstream(file) << "X";
    disk.restart();
    std::ofstream(disk.root() / "state") << "boot other\nopen\n";
    current = disk->open();
    REQUIRE(current);
    CHECK_FALSE(current->has_value());
    CHECK(disk.sync(tree_packages) == hash);
    CHECK(file_text(file) == "1");
  }
  SECTION("no packages are wanted any more") {
    REQUIRE(disk->use(std::nullopt));
    disk.restart();
    current = disk->open();
    REQUIRE(current);
    CHECK_FALSE(current->has_value());
  }
}

TEST_CASE("a tree that is neither kept nor was in use within the hour is removed") {
  const TempDir files;
  Disk disk(files);
  const std::string old_tree = disk.sync(tree_packages);
  const std::string new_tree = disk.sync({tree_packages[2]});
  REQUIRE(disk->use(old_tree));
  REQUIRE(disk->use(new_tree));
  const fs::path mark = disk.root() / "trees" / old_tree / ".retired";
  REQUIRE(fs::exists(mark));
  disk->collect({new_tree});
  CHECK(fs::exists(disk.node_modules(old_tree)));
  const utimbuf long_ago{1, 1};
  ::utime(mark.c_str(), &long_ago);
  SECTION("a run still has it") {
    disk->collect({new_tree, old_tree});
    CHECK(fs::exists(disk.node_modules(old_tree)));
  }
  SECTION("it came into use again") {
    REQUIRE(disk->use(old_tree));
    CHECK_FALSE(fs::exists(mark));
  }
  SECTION("nobody has it") {
    disk->collect({new_tree});
    CHECK_FALSE(fs::exists(disk.node_modules(old_tree)));
    CHECK_FALSE(fs::exists(disk.root() / "manifests" / old_tree));
    CHECK(fs::exists(disk.node_modules(new_tree)));
    CHECK(disk.sync(tree_packages) == old_tree);
  }
}

TEST_CASE(
    "without a state directory packages live below the scratch area and go with the process") {
  const TempDir files;
  const auto shelf = shelf_with(tree_packages);
  {
    PackageDisk disk({"", files.path().string(), satellite_program()}, {});
    const auto current = disk.open();
    REQUIRE(current);
    CHECK(fs::is_empty(files.path()));
    const auto found = disk.look_for(*shelf.statement.lockfile_hash);
    REQUIRE(found);
    CHECK_FALSE(*found);
    CHECK_FALSE(fs::is_empty(files.path()));
  }
  CHECK(fs::is_empty(files.path()));
}

TEST_CASE("what cannot be read as a package.json is told, and the package is there") {
  const TempDir files;
  Disk disk(files);
  TarMaker maker;
  const std::string blob =
      gzip(maker.add("odd@1/package.json", "{").add("odd@1/index.js", "odd").finish());
  const auto manifest = manifest_of({{"odd", "1.0.0", "i", std::nullopt}});
  auto missing = disk->compare(manifest);
  REQUIRE(missing);
  std::string base64;
  append_base64(base64, blob);
  REQUIRE(disk->take_blob(missing->manifest.entries.at(0), base64));
  REQUIRE(disk->build(missing->manifest));
  CHECK(file_text(disk.node_modules(manifest.lockfile_hash) / "odd/index.js") == "odd");
  std::string remarks;
  for (const auto& remark : disk->take_remarks()) remarks += remark + "\n";
  CHECK(remarks.find("package.json of odd@1.0.0 cannot be read") != std::string::npos);
}

TEST_CASE("where the disk is full the tree before stays in use, and room makes it go on") {
  if (!require_layer("root", ::geteuid() == 0, "only root may mount a small file system")) return;
  const TempDir files;
  const std::string small = (files.path() / "small").string();
  fs::create_directory(small);
  const std::string told = in_child([&] {
    take_own_mounts();
    if (::mount("small", small.c_str(), "tmpfs", 0, "size=3m") != 0) return std::string("no mount");
    PackageDisk disk({small, files.path().string(), satellite_program()}, {});
    const auto taken = [&](const TestPackage& package) {
      const std::string blob = blob_of(package);
      std::string base64;
      append_base64(base64, blob);
      const auto done = disk.take_blob(
          {package.name, package.version, integrity_of(package), std::nullopt}, base64);
      return (done ? "taken" : done.error().message) + "\n";
    };
    std::string noise(2U << 20U, '\0');
    for (std::size_t i = 0; i < noise.size(); ++i) {
      noise[i] = static_cast<char>(i * i * 31 + i / 7 + (i >> 9U) * (i >> 3U));
    }
    std::string text = taken({"little", "1.0.0", {{"index.js", "1"}}, {}, {}});
    // Compressed it is next to nothing, so that only unpacking finds out.
    text += taken({"zeros", "1.0.0", {{"index.js", std::string(8U << 20U, '0')}}, {}, {}});
    text += taken({"noise", "1.0.0", {{"index.js", noise}}, {}, {}});
    text += taken({"other", "1.0.0", {{"index.js", "2"}}, {}, {}});
    for (const auto& entry : fs::directory_iterator(small + "/script-packages/store")) {
      text += entry.path().filename().string().substr(0, 9) == ".partial-" ? "" : "entry\n";
    }
    return text;
  });
  INFO(told);
  CHECK(told.find("taken\nNo room for script packages on the file system of " + small) == 0);
  CHECK(told.find("\nNo room for script packages in " + small + "/script-packages: need about ") !=
        std::string::npos);
  CHECK(told.find("taken\nentry\nentry\n") != std::string::npos);
}
