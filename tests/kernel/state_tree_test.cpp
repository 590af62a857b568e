// What the system call filter keeps scripts from making, and what only root can: the process that
// packs a state refuses it by itself.
#include "sandbox/launcher/process/state_tree.hpp"
#include "sandbox/state/packed_state.hpp"
#include "sandbox/state/state_file.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <filesystem>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;
namespace fs = std::filesystem;

namespace {

constexpr ByteCount tree_size_max{4'096};

class Tree {
 public:
  Result<std::string> packed() const {
    const UniqueFd top = opened();
    const auto file = make_state_file("something longer than what is packed in its place, or not");
    if (auto done = pack_state(top.get(), (*file)->get(), tree_size_max); !done) {
      return done.error();
    }
    return read_state_file((*file)->get(), tree_size_max);
  }
  Result<void> unpack(const std::string& packed) const {
    return unpack_state(opened().get(), packed, tree_size_max);
  }
  fs::path at(const std::string& name) const { return files_.path() / name; }
  void write(const std::string& name) const { static_cast<void>(files_.write(name, "x")); }

 private:
  UniqueFd opened() const {
    return UniqueFd(::open(files_.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  TempDir files_;
};

}  // namespace

TEST_CASE("a tree comes back as it was packed, and packed again it has the same bytes") {
  const Tree one, other;
  fs::create_directories(one.at("d/e"));
  one.write("d/e/f");
  one.write("a");
  one.write("d-");
  fs::permissions(one.at("d/e/f"), fs::perms(0400));
  fs::permissions(one.at("d"), fs::perms(0550));
  const auto packed = one.packed();
  REQUIRE(packed);
  REQUIRE(other.unpack(*packed));
  const auto again = other.packed();
  REQUIRE(again);
  CHECK(*again == *packed);
  CHECK(fs::status(other.at("d")).permissions() == fs::perms(0550));
  for (const Tree* tree : {&one, &other}) fs::permissions(tree->at("d"), fs::perms(0750));
}

TEST_CASE("set-id bits and devices are refused by the process that packs, whoever made them") {
  const Tree tree;
  tree.write("f");
  REQUIRE(tree.packed());  // positive control
  SECTION("set-user-id") {
    REQUIRE(::chmod(tree.at("f").c_str(), 04755) == 0);
  }
  SECTION("set-group-id") {
    REQUIRE(::chmod(tree.at("f").c_str(), 02755) == 0);
  }
  SECTION("a directory with set-group-id") {
    fs::create_directory(tree.at("d"));
    REQUIRE(::chmod(tree.at("d").c_str(), 02755) == 0);
  }
  SECTION("a device") {
    if (!require_layer("root", is_root(), "only root can make a device")) return;
    if (::mknod(tree.at("null").c_str(), S_IFCHR | 0666, ::makedev(1, 3)) != 0) return;
  }
  CHECK(tree.packed().error().code == ErrorCode::not_permitted);
}

TEST_CASE("what cannot be unpacked leaves nothing of itself") {
  const StateEntry directory{StateEntry::Kind::directory, "d", 0755, 0, 0, {}};
  const StateEntry inner{StateEntry::Kind::file, "d/f", 0644, 0, 0, "x"};
  const StateEntry taken{StateEntry::Kind::file, "taken", 0644, 0, 0, "y"};
  std::string packed = packed_state_head();
  for (const auto& entry : {directory, inner, taken}) {
    packed += packed_entry_head(entry, entry.content.size());
    packed += entry.content;
  }
  packed += packed_state_end();
  const Tree tree;
  fs::create_directory(tree.at("taken"));
  CHECK_FALSE(tree.unpack(packed));
  CHECK_FALSE(fs::exists(tree.at("d")));
  fs::remove(tree.at("taken"));
  CHECK(tree.unpack(packed));
  CHECK(fs::exists(tree.at("d/f")));
}
