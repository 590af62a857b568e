#include "agent/commands/written_file.hpp"

#include "tests/support/file_text.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace satellite;
using namespace satellite::agent;
using satellite::tests::file_text;
using satellite::tests::require_layer;
using satellite::tests::TempDir;

namespace {

constexpr WrittenFile::Mode public_mode{0644, 07777}, secret_mode{0600, 0640};

struct stat facts_of(const std::string& path) {
  struct stat facts {};
  REQUIRE(::lstat(path.c_str(), &facts) == 0);
  return facts;
}

void replace(const std::string& path, WrittenFile::Mode mode) {
  auto written = WrittenFile::write(path, "new", mode);
  REQUIRE(written);
  REQUIRE(written->put());
}

}  // namespace

TEST_CASE("a file that replaces another has its mode, but no more than is asked for") {
  const TempDir directory;
  const auto [before, mode, after] =
      GENERATE(table<mode_t, WrittenFile::Mode, mode_t>({{0600, public_mode, 0600},
                                                         {0664, public_mode, 0664},
                                                         {0440, secret_mode, 0440},
                                                         {0644, secret_mode, 0640}}));
  const std::string path = directory.write("file", "old");
  REQUIRE(::chmod(path.c_str(), before) == 0);
  replace(path, mode);
  CHECK(file_text(path) == "new");
  CHECK((facts_of(path).st_mode & 07777) == after);
  const std::string fresh = (directory.path() / "fresh").string();
  replace(fresh, mode);
  CHECK((facts_of(fresh).st_mode & 07777) == mode.fresh);
}

TEST_CASE("a file that replaces another keeps its owner and group") {
  if (!require_layer("root", ::geteuid() == 0, "only root gives files away")) return;
  const TempDir directory;
  const std::string path = directory.write("file", "old");
  REQUIRE(::chown(path.c_str(), 65532, 65531) == 0);
  replace(path, secret_mode);
  CHECK(facts_of(path).st_uid == 65532);
  CHECK(facts_of(path).st_gid == 65531);
}

TEST_CASE("a link stays one, and what it leads to is replaced") {
  const TempDir directory;
  const std::string target = directory.write("target", "old");
  const std::string link = (directory.path() / "link").string();
  REQUIRE(::symlink("target", link.c_str()) == 0);
  replace(link, public_mode);
  CHECK(S_ISLNK(facts_of(link).st_mode));
  CHECK(file_text(target) == "new");
}

TEST_CASE("what was written and not put is gone, and the old file stays") {
  const TempDir directory;
  const std::string path = directory.write("file", "old");
  {
    const auto written = WrittenFile::write(path, "new", public_mode);
    REQUIRE(written);
    CHECK(file_text(path + ".new") == "new");
  }
  CHECK(file_text(path) == "old");
  CHECK_FALSE(std::filesystem::exists(path + ".new"));
  const auto refused = WrittenFile::write("/nonexistent/file", "new", public_mode);
  REQUIRE_FALSE(refused);
  CHECK(name_of(refused.error().code) == "not_found");
}
