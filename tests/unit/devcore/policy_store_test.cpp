#include "tests/devcore/policy_store.hpp"

#include "sandbox/policy/policy_json.hpp"

#include <sys/stat.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace satellite;
using namespace satellite::sandbox;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "policy-store-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("an empty store has the safe default, so the sandbox is on by default") {
  const Folder folder;
  const PolicyStore store(folder.path / "policy.json", shipped_default_policy());
  CHECK(*store.read() == shipped_default_policy());
  CHECK(files_in(folder.path) == 0);
}

TEST_CASE("a write is read by every other store of the same file") {
  const Folder folder;
  PolicyStore one(folder.path / "policy.json", shipped_default_policy());
  const PolicyStore other(folder.path / "policy.json", fail_closed_policy());
  const auto written = one.write(R"({"network":{"mode":"deny"},"resources":{"cpuSeconds":30}})");
  REQUIRE(written.has_value());
  const auto seen = other.read();
  REQUIRE(seen.has_value());
  CHECK(*seen == *written);
  CHECK(seen->network.mode == NetworkMode::deny);
  CHECK(seen->resources.cpu_seconds == 30);
}

TEST_CASE("a partial write keeps the safe default of every layer it does not mention") {
  const Folder folder;
  PolicyStore store(folder.path / "policy.json", shipped_default_policy());
  const auto loosened = store.write(R"({"resources":{"memoryBytes":2147483648}})");
  REQUIRE(loosened.has_value());
  CHECK(loosened->resources.memory_bytes == 2'147'483'648);
  CHECK(loosened->resources.cpu_seconds == 60);
  CHECK(loosened->filesystem == shipped_default_policy().filesystem);
  CHECK(loosened->on_unavailable == OnUnavailable::fail);

  const auto disabled = store.write(R"({"enabled":false})");
  REQUIRE(disabled.has_value());
  CHECK_FALSE(store.read()->enabled);
  CHECK(store.read()->filesystem == shipped_default_policy().filesystem);
  CHECK(files_in(folder.path) == 1);
}

TEST_CASE("an invalid policy is never stored") {
  const Folder folder;
  PolicyStore store(folder.path / "policy.json", shipped_default_policy());
  CHECK(store.write(R"({"resources":{"cpuSeconds":-1}})").error().code == ErrorCode::invalid_input);
  CHECK(files_in(folder.path) == 0);
  REQUIRE(store.write(R"({"network":{"mode":"deny"}})").has_value());
  CHECK_FALSE(store.write("{not json").has_value());
  CHECK(store.read()->network.mode == NetworkMode::deny);
}

TEST_CASE("a stored file that is no policy is an error, never the default") {
  const Folder folder;
  const fs::path file = folder.path / "policy.json";
  const PolicyStore store(file, shipped_default_policy());
  const std::string text = GENERATE(as<std::string>(), "", "{}x", R"({"bogus":1})", "null");
  std::ofstream(file) << text;
  const auto policy = store.read();
  REQUIRE_FALSE(policy.has_value());
  CHECK(policy.error().message.find(file.string()) != std::string::npos);
}

TEST_CASE("a store that cannot be written says so and leaves nothing behind") {
  const Folder folder;
  PolicyStore store(folder.path / "missing" / "policy.json", shipped_default_policy());
  CHECK(store.write("{}").error().code == ErrorCode::not_found);
  // The target is a folder: the rename fails after the temporary file was written.
  fs::create_directories(folder.path / "occupied" / "inside");
  PolicyStore blocked(folder.path / "occupied", shipped_default_policy());
  CHECK_FALSE(blocked.write("{}").has_value());
  CHECK(files_in(folder.path) == 1);
}

TEST_CASE("the stored file can be read by its owner only") {
  const Folder folder;
  PolicyStore store(folder.path / "policy.json", shipped_default_policy());
  REQUIRE(store.write("{}").has_value());
  struct stat status {};
  REQUIRE(::stat((folder.path / "policy.json").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}
