#include "agent/storage/open_state.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;

namespace {

Config with_directory(const std::filesystem::path& path) {
  Config config;
  config.state_directory = path.string();
  return config;
}

}  // namespace

TEST_CASE("a state directory is made for this user alone, and one that is too open is closed") {
  const TempDir parent;
  const auto path = parent.path() / "state";
  const bool exists = GENERATE(false, true);
  if (exists) std::filesystem::create_directory(path);
  const auto opened = StateDirectory::open(path.string());
  REQUIRE(opened);
  struct stat facts {};
  REQUIRE(::stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777) == 0700);
}

TEST_CASE("one satellite at a time, the other one is told which, and a dead one holds nothing") {
  const TempDir directory;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t holder = ::fork();
  if (holder == 0) {
    const auto state = open_state(with_directory(directory.path()));
    const char answer = state && state->directory ? 'y' : 'n';
    static_cast<void>(!::write(ready[1], &answer, 1));
    ::pause();
    ::_exit(0);
  }
  char answer = 0;
  REQUIRE(::read(ready[0], &answer, 1) == 1);
  CHECK(answer == 'y');
  const auto second = open_state(with_directory(directory.path()));
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ErrorCode::unavailable);
  CHECK(second.error().message.find("process " + std::to_string(holder)) != std::string::npos);
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  const auto third = open_state(with_directory(directory.path()));
  REQUIRE(third);
  CHECK(third->directory);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("a directory that cannot be had is no reason not to start") {
  const TempDir parent;
  const auto link = parent.path() / "link";
  std::filesystem::create_directory_symlink(parent.path(), link);
  const std::string file = parent.write("file", "");
  for (const std::filesystem::path& path : {parent.path() / "a" / "b", std::filesystem::path(file),
                                            link, std::filesystem::path("/proc/none")}) {
    INFO(path);
    const auto state = open_state(with_directory(path));
    REQUIRE(state);
    CHECK_FALSE(state->directory);
    CHECK(state->store.file.empty());
    CHECK(state->store.fault == StoreFault::no_directory);
    CHECK_FALSE(state->store.why.empty());
  }
}

TEST_CASE("a directory of somebody else is not used") {
  if (::geteuid() != 0) return;
  const TempDir parent;
  const auto path = parent.path() / "state";
  std::filesystem::create_directory(path);
  REQUIRE(::chown(path.c_str(), 65'532, 65'532) == 0);
  const auto state = open_state(with_directory(path));
  REQUIRE(state);
  CHECK(state->store.fault == StoreFault::no_directory);
}

TEST_CASE("who wants nothing on disk touches none") {
  const TempDir parent;
  Config config = with_directory(parent.path() / "state");
  config.ephemeral = true;
  const auto state = open_state(config);
  REQUIRE(state);
  CHECK(state->store.fault == StoreFault::ephemeral);
  CHECK(std::filesystem::is_empty(parent.path()));
}
