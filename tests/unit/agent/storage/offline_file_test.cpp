#include "agent/storage/offline_file.hpp"

#include "tests/support/temp_dir.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;

namespace {
constexpr ByteCount size_max{1'000};

ErrorCode code_of_reading(const std::string& path) {
  const auto read = read_private_file(path, size_max);
  REQUIRE_FALSE(read);
  return read.error().code;
}
}  // namespace

TEST_CASE("a private file is written whole, for this user alone, in place of the one before") {
  const TempDir directory;
  const std::string path = directory.path() / "cache";
  CHECK(code_of_reading(path) == ErrorCode::not_found);
  REQUIRE(replace_private_file(path, std::string(999, 'a')));
  REQUIRE(replace_private_file(path, "second"));
  CHECK(*read_private_file(path, size_max) == "second");
  struct stat facts {};
  REQUIRE(::stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777) == 0600);
  REQUIRE(overwrite_head(path, "S"));
  CHECK(*read_private_file(path, size_max) == "Second");
  REQUIRE(remove_file(path));
  REQUIRE(remove_file(path));
  CHECK(code_of_reading(path) == ErrorCode::not_found);
  CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("a private file that others may have touched is not read") {
  const TempDir directory;
  const std::string path = directory.path() / "cache";
  REQUIRE(replace_private_file(path, "content"));
  REQUIRE(read_private_file(path, size_max));

  SECTION("readable by the group") {
    REQUIRE(::chmod(path.c_str(), 0640) == 0);
  }
  SECTION("writable by all") {
    REQUIRE(::chmod(path.c_str(), 0602) == 0);
  }
  SECTION("with a second name") {
    REQUIRE(::link(path.c_str(), (directory.path() / "other").c_str()) == 0);
  }
  SECTION("a link") {
    REQUIRE(::rename(path.c_str(), (directory.path() / "other").c_str()) == 0);
    REQUIRE(::symlink((directory.path() / "other").c_str(), path.c_str()) == 0);
    // open(2) with O_NOFOLLOW says ELOOP.
    CHECK_FALSE(read_private_file(path, size_max));
    return;
  }
  SECTION("a named pipe, which nobody writes to") {
    REQUIRE(::unlink(path.c_str()) == 0);
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  }
  SECTION("of another user") {
    if (::geteuid() != 0) return;
    REQUIRE(::chown(path.c_str(), 65'532, 65'532) == 0);
  }
  CHECK(code_of_reading(path) == ErrorCode::not_permitted);
}

TEST_CASE("a private file is not read beyond its bound") {
  const TempDir directory;
  const std::string path = directory.path() / "cache";
  REQUIRE(replace_private_file(path, std::string(1'000, 'x')));
  CHECK(read_private_file(path, size_max)->size() == 1'000);
  REQUIRE(replace_private_file(path, std::string(1'001, 'x')));
  CHECK(code_of_reading(path) == ErrorCode::limit_exceeded);
}

TEST_CASE("what an interrupted write left behind is in nobody's way") {
  const TempDir directory;
  const std::string path = directory.path() / "cache";
  directory.write("cache.new", "half of it");
  REQUIRE(replace_private_file(path, "content"));
  CHECK(*read_private_file(path, size_max) == "content");
  CHECK_FALSE(std::filesystem::exists(path + ".new"));
}
