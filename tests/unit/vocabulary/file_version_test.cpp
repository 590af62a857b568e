#include "protocol/vocabulary/file_version.hpp"

#include "tests/support/temp_dir.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>

using namespace satellite;
using namespace satellite::tests;

TEST_CASE(
    "a file that was looked at twice is the same, and one that was changed or replaced is not") {
  const TempDir directory;
  const std::string file = directory.write("file", "one");
  const FileVersion first = version_of_file(file);
  CHECK(first != FileVersion());
  CHECK(version_of_file(file) == first);
  SECTION("longer") {
    directory.write("file", "longer");
  }
  SECTION("another mode") {
    REQUIRE(::chmod(file.c_str(), 0600) == 0);
  }
  SECTION("another file with the same content") {
    std::filesystem::rename(directory.write("other", "one"), file);
  }
  SECTION("a link to another one") {
    std::filesystem::remove(file);
    std::filesystem::create_symlink(directory.write("other", "one"), file);
  }
  SECTION("none") {
    std::filesystem::remove(file);
    CHECK(version_of_file(file) == FileVersion());
  }
  CHECK(version_of_file(file) != first);
}
