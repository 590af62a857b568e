#include "agent/packages/script_packages.hpp"

#include "protocol/vocabulary/base64.hpp"
#include "tests/support/satellite_process.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/test_packages.hpp"

#include <fcntl.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;
using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr const char* imports_one = "import one from 'one'";
constexpr const char* imports_nothing = "export default 1";

/// Script packages with a core that this test plays.
class PackagesBench {
 public:
  explicit PackagesBench(const TempDir& files)
      : null_(::open("/dev/null", O_WRONLY | O_CLOEXEC)),
        log_(LogLevel::error, null_.get()),
        cancel(context),
        packages(context, log_,
                 {(files.path() / "state").string(), files.path().string(), satellite_program()},
                 [this](const protocol::AgentMessage& message) { answer(message); }) {
    asio::co_spawn(context, packages.run(), asio::detached);
  }
  ~PackagesBench() {
    packages.stop();
    packages.join();
    context.poll();
  }

  /// Lets the loop work until it holds.
  bool until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      context.run_one_for(10ms);
    }
    return true;
  }

  Result<PackageLease> take(const char* script, std::chrono::milliseconds patience) {
    std::optional<Result<PackageLease>> taken;
    asio::co_spawn(context, take_into(taken, script, patience), asio::detached);
    REQUIRE(until([&] { return taken.has_value(); }));
    return *std::move(taken);
  }

  void want(const devcore::PackageShelf& wanted) {
    shelf = wanted;
    packages.receive(wanted.statement);
  }

  asio::io_context context{1};
  devcore::PackageShelf shelf;
  bool answers = true;
  std::vector<protocol::ScriptPackageSyncState> said;

 private:
  asio::awaitable<void> take_into(std::optional<Result<PackageLease>>& taken, const char* script,
                                  std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    auto lease = co_await packages.take(script, deadline, cancel);
    taken.emplace(std::move(lease));
  }

  void answer(const protocol::AgentMessage& message) {
    if (const auto* state = std::get_if<protocol::ScriptPackageSyncState>(&message)) {
      said.push_back(*state);
    }
    if (!answers) return;
    if (const auto* asked = std::get_if<protocol::RequestScriptPackageManifest>(&message)) {
      const auto found = shelf.manifests.find(asked->lockfile_hash);
      if (found == shelf.manifests.end()) return;
      asio::post(context, [this, list = found->second] { packages.receive(list); });
    }
    if (const auto* asked = std::get_if<protocol::RequestScriptPackageBlob>(&message)) {
      protocol::ScriptPackageBlob blob{asked->integrity, std::string()};
      append_base64(*blob.data_base64, shelf.blobs.at(asked->integrity));
      asio::post(context, [this, blob] { packages.receive(blob); });
    }
  }

  UniqueFd null_;
  Log log_;

 public:
  sandbox::CancelSwitch cancel;
  ScriptPackages packages;
};

const TestPackage one_package{"one", "1.0.0", {{"index.js", "1"}}, {}, {}};
const TestPackage two_package{"two", "1.0.0", {{"index.js", "2"}}, {}, {}};

}  // namespace

TEST_CASE("a run gets the tree that the core wants, and keeps it while another one comes") {
  const TempDir files;
  PackagesBench bench(files);
  bench.packages.connection_up({});
  bench.want(shelf_with({one_package}));
  REQUIRE(bench.until([&] { return bench.packages.is_ready(); }));
  auto first = bench.take(imports_one, 60s);
  REQUIRE(first);
  const std::string directory = first->directory().value();
  CHECK(fs::exists(directory + "/one/index.js"));

  bench.want(shelf_with({two_package}));
  auto second = bench.take(imports_one, 60s);
  REQUIRE(second);
  CHECK(fs::exists(*second->directory() + "/two/index.js"));
  CHECK(second->lockfile_hash() != first->lockfile_hash());
  CHECK(fs::exists(directory + "/one/index.js"));
  CHECK(bench.said.back().status == protocol::PackageSyncStatus::ready);
}

TEST_CASE("a run that needs packages waits for them and then says what is missing") {
  const TempDir files;
  PackagesBench bench(files);
  bench.packages.connection_up({});
  bench.answers = false;
  bench.want(shelf_with({one_package}));
  const std::string expected = bench.shelf.statement.lockfile_hash->substr(0, 12);
  const auto late = bench.take(imports_one, 200ms);
  REQUIRE_FALSE(late);
  CHECK(late.error().code == ErrorCode::unavailable);
  CHECK(late.error().message.find("Script packages are not ready: expected " + expected +
                                  ", present none") == 0);
  const auto needs_none = bench.take(imports_nothing, 60s);
  REQUIRE(needs_none);
  CHECK_FALSE(needs_none->directory());
  bench.cancel.cancel();
  const auto cancelled = bench.take(imports_one, 60s);
  REQUIRE_FALSE(cancelled);
  CHECK(cancelled.error().code == ErrorCode::cancelled);
}

TEST_CASE("where no packages are wanted a run gets none and does not wait") {
  const TempDir files;
  PackagesBench bench(files);
  const auto before = bench.take(imports_one, 60s);
  REQUIRE(before);
  CHECK_FALSE(before->directory());
  bench.packages.connection_up({});
  bench.want(shelf_with({one_package}));
  REQUIRE(bench.until([&] { return bench.packages.is_ready(); }));
  bench.packages.receive(protocol::ScriptPackagesStatement{true, std::nullopt});
  const auto after = bench.take(imports_one, 60s);
  REQUIRE(after);
  CHECK_FALSE(after->directory());
  REQUIRE(bench.until([&] { return bench.packages.is_ready(); }));
  CHECK_FALSE(bench.said.back().lockfile_hash);
}

TEST_CASE("a tree that a run has is not removed before that run has ended") {
  const TempDir files;
  PackagesBench bench(files);
  bench.packages.connection_up({});
  const auto first = shelf_with({one_package}), second = shelf_with({two_package}),
             third = shelf_with({one_package, two_package});
  const auto want_and_wait = [&](const devcore::PackageShelf& shelf) {
    bench.want(shelf);
    REQUIRE(bench.until([&] { return bench.packages.is_ready(); }));
  };
  want_and_wait(first);
  std::optional<PackageLease> lease;
  {
    auto taken = bench.take(imports_one, 60s);
    REQUIRE(taken);
    lease = *std::move(taken);
  }
  const fs::path tree = fs::path(*lease->directory()).parent_path();
  want_and_wait(second);
  const fs::path mark = tree / ".retired";
  REQUIRE(bench.until([&] { return fs::exists(mark); }));
  fs::last_write_time(mark, fs::file_time_type::clock::now() - 2h);
  // Each flip collects; the next answer comes from the same thread, so it comes after that.
  want_and_wait(third);
  want_and_wait(second);
  CHECK(fs::exists(tree / "node_modules/one/index.js"));
  lease.reset();
  want_and_wait(third);
  CHECK(bench.until([&] { return !fs::exists(tree); }));
}

TEST_CASE("a lease that is moved ends once") {
  const TempDir files;
  PackagesBench bench(files);
  bench.packages.connection_up({});
  bench.want(shelf_with({one_package}));
  auto lease = bench.take(imports_one, 60s);
  REQUIRE(lease);
  PackageLease moved = *std::move(lease);
  CHECK(moved.directory());
  moved = PackageLease();
  CHECK_FALSE(moved.directory());
}
