// Script packages from a real core to a tree on disk: what comes, what does not, and what is left
// of it for the next start.
#include "protocol/vocabulary/unique_fd.hpp"
#include "tests/end_to_end/package_scene.hpp"
#include "tests/support/file_text.hpp"
#include "tests/support/require_layer.hpp"
#include "tls/digest.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using namespace satellite;
using namespace satellite::tests;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const std::vector<TestPackage> wanted_packages{
    {"@scope/tool", "1.0.0", {{"bin/run.js", "go"}}, {{"left", "^2.0.0"}}, {}},
    {"left", "1.0.0", {{"index.js", "one"}}, {}, {}},
    {"left", "2.5.0", {{"index.js", "two"}}, {}, {}}};

}  // namespace

TEST_CASE("packages with scopes and in two versions are fetched, placed and said to be ready") {
  const auto shelf = shelf_with(wanted_packages);
  PackageScene scene(shelf);
  scene.ready(shelf);
  const fs::path modules = scene.modules(shelf);
  CHECK(file_text(modules / "left/index.js") == "one");
  CHECK(file_text(fs::canonical(modules / "@scope/tool") / "../../left/index.js") == "two");
  // For people and for the next start: written after it was said.
  eventually("the tree in use is named", [&] {
    std::error_code missing;
    const fs::path link = fs::read_symlink(scene.root() / "current", missing);
    return link.filename() == *shelf.statement.lockfile_hash;
  });
  CHECK(scene.said().front().starts_with("syncing"));
  CHECK(scene.asked("request_script_package_blob") == 3);
  CHECK(scene->core().ledger().invalid_frames().empty());
  scene->wait_for_log("packages_ready");
  CHECK(scene->satellite().log().find("packages are unpacked behind") != std::string::npos);
}

TEST_CASE(
    "a tree is ready after a restart without the core, and after one that lost its packages") {
  const auto shelf = shelf_with(wanted_packages);
  PackageScene scene(shelf);
  scene.ready(shelf);
  const bool killed = GENERATE(false, true);
  if (killed) scene->satellite().signal(SIGKILL);
  auto forgetful = shelf;
  forgetful.manifests.clear();
  forgetful.blobs.clear();
  scene.start(forgetful);
  scene.ready(shelf);
  CHECK(scene.asked("request_script_package_manifest") == 0);
  CHECK(file_text(scene.modules(shelf) / "left/index.js") == "one");
}

TEST_CASE("other packages replace the ones before, and no packages take them out of use") {
  const auto shelf = shelf_with(wanted_packages);
  PackageScene scene(shelf);
  scene.ready(shelf);
  const auto other = shelf_with({wanted_packages[1]});
  scene->core().push_packages(other);
  scene.ready(other);
  CHECK(scene.asked("request_script_package_blob") == 3);  // the store had it
  CHECK(file_text(scene.modules(other) / "left/index.js") == "one");
  CHECK(fs::exists(scene.modules(shelf)));
  devcore::PackageShelf none;
  none.statement = {true, std::nullopt};
  scene->core().push_packages(none);
  scene.wait_said("ready none");
  eventually("current is gone", [&] { return !fs::is_symlink(scene.root() / "current"); });
}

TEST_CASE("what the core cannot give is said to it, and fetched when it can") {
  auto shelf = shelf_with(wanted_packages);
  const std::string hash = *shelf.statement.lockfile_hash;
  const std::string integrity = integrity_of(wanted_packages[1]);
  auto broken = shelf;
  std::string expected;
  SECTION("the hash has moved on") {
    broken.manifests.clear();
    expected = "The core has no package list for " + hash.substr(0, 12) + ": it has moved on";
  }
  SECTION("a list of other packages") {
    broken.manifests[hash].entries.pop_back();
    expected = "Script package manifest does not match its hash";
  }
  SECTION("a blob is missing") {
    broken.blobs.erase(integrity);
    expected = "The core has no blob of left@1.0.0";
  }
  SECTION("a blob is another one") {
    broken.blobs[integrity] = blob_of(wanted_packages[2]);
    expected = "blob of left@1.0.0: expected sha256 " + tls::sha256_of(shelf.blobs[integrity]) +
               ", got " + tls::sha256_of(broken.blobs[integrity]);
  }
  SECTION("an archive with a link") {
    TarMaker maker;
    broken.blobs[integrity] = gzip(maker.add("l/a", "", {'2', 0777, "/etc"}).finish());
    broken = shelf_with({});  // a list without digests takes it as it is
    auto manifest = manifest_of({{"left", "1.0.0", integrity, std::nullopt}});
    broken.statement.lockfile_hash = manifest.lockfile_hash;
    broken.manifests[manifest.lockfile_hash] = manifest;
    TarMaker again;
    broken.blobs[integrity] = gzip(again.add("l/a", "", {'2', 0777, "/etc"}).finish());
    expected = "archive of left@1.0.0 refused: an entry that is neither a file nor a directory";
  }
  PackageScene scene(broken);
  const std::string said = scene.wait_said("error ");
  CHECK(said.find(expected) != std::string::npos);
  INFO(said);
  for (const char* folder : {"store", "trees"}) {
    for (const auto& entry : fs::directory_iterator(scene.root() / folder)) {
      INFO(entry.path());
      CHECK_FALSE(fs::exists(entry.path() / ".complete"));
    }
  }
  // A push does not wait for the next attempt.
  scene->core().push_packages(shelf);
  scene.ready(shelf);
}

TEST_CASE("a connection that breaks within a blob is gone on with on the next one") {
  auto shelf = shelf_with(wanted_packages);
  shelf.cut.insert(integrity_of(wanted_packages[2]));
  PackageScene scene(shelf);
  scene.ready(shelf);
  CHECK(scene->core().ledger().counters().authentications == 2);
  CHECK(scene.asked("request_script_package_blob") == 4);
  CHECK(file_text(scene.modules(shelf) / "left/index.js") == "one");
}

TEST_CASE("a blob that no frame can carry ends one connection, not every one") {
  auto shelf = shelf_with(wanted_packages);
  const std::string integrity = integrity_of(wanted_packages[1]);
  shelf.blobs[integrity] = std::string(13U << 20U, 'x');
  PackageScene scene(shelf);
  REQUIRE(scene->core().wait_until_authenticated(devcore::DevCore::patience, 2));
  const std::string said = scene.wait_said("error ");
  CHECK(said.find("Script package left@1.0.0: larger than a frame can carry (12 MiB)") !=
        std::string::npos);
  const std::size_t asked = scene.asked("request_script_package_blob");
  // The satellite goes on working, and asks for other packages.
  CHECK(scene->run("echo alive").standard_output == "alive\n");
  CHECK(scene.asked("request_script_package_blob") == asked);
  CHECK(scene->core().ledger().counters().authentications == 2);
  const auto other = shelf_with({wanted_packages[2]});
  scene->core().push_packages(other);
  scene.ready(other);
}

TEST_CASE("a damaged package is fetched again, and its tree made anew") {
  const auto shelf = shelf_with(wanted_packages);
  PackageScene scene(shelf);
  scene.ready(shelf);
  scene.stop();
  const fs::path file = scene.modules(shelf) / "left/index.js";
  fs::permissions(file, fs::perms::owner_all);
  std::ofstream(file) << "longer than it was";
  scene.start(shelf);
  scene.ready(shelf);
  CHECK(file_text(file) == "one");
  CHECK(scene.asked("request_script_package_blob") == 1);
  CHECK(scene->satellite().log().find("damaged packages were removed") != std::string::npos);
}

TEST_CASE(
    "two satellites with one directory: the second says so, and works when the first is gone") {
  const TempDir files;
  fs::create_directory(files.path() / "script-packages");
  const UniqueFd lock(
      ::open((files.path() / "script-packages/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(::flock(lock.get(), LOCK_EX | LOCK_NB) == 0);
  const auto shelf = shelf_with(wanted_packages);
  Scene::Options options = Scene::with_policy(default_policy);
  options.core.packages = shelf;
  options.state_directory = files.path();
  Scene scene(std::move(options));
  const auto told = scene.core().wait_for_frame("script_package_sync_state");
  REQUIRE(told);
  const json state = json::parse(*told);
  CHECK(state.at("status") == "error");
  CHECK(state.at("errorMessage").get<std::string>().find("another satellite") != std::string::npos);
  REQUIRE(::flock(lock.get(), LOCK_UN) == 0);
  scene.core().push_packages(shelf);
  eventually("the tree is there", [&] {
    return fs::exists(files.path() / "script-packages/trees" / *shelf.statement.lockfile_hash);
  });
}

TEST_CASE("without a state directory packages are kept for the life of the process") {
  const auto shelf = shelf_with(wanted_packages);
  const TempDir scratch;
  {
    Scene::Options options = Scene::with_policy(default_policy);
    options.core.packages = shelf;
    options.environment["CHECKSTACK_SATELLITE_SCRATCH_DIRECTORY"] = scratch.path().string();
    Scene scene(std::move(options));
    eventually("the tree is said to be ready", [&] {
      for (const auto& text : scene.core().ledger().frames("script_package_sync_state")) {
        if (json::parse(text).at("status") == "ready") return true;
      }
      return false;
    });
    scene.satellite().signal(SIGTERM);
    CHECK(scene.satellite().wait() == 0);
  }
  CHECK(fs::is_empty(scratch.path()));
}

TEST_CASE("a dispatched module imports the packages that the core wants, or says what is missing") {
  const bool has_runtime =
      ::access("/usr/bin/node", X_OK) == 0 || ::access("/usr/local/bin/bun", X_OK) == 0;
  if (!require_layer("node or bun", has_runtime, "neither is there")) return;
  auto shelf = shelf_with({{"left", "1.0.0", {{"index.js", "module.exports = 'left'"}}, {}, {}}});
  PackageScene scene(shelf);
  scene.ready(shelf);
  protocol::RunScript imports = script("import left from 'left'; console.log('imported', left);");
  imports.language = protocol::ScriptLanguage::module;
  CHECK(scene->run(std::move(imports)).standard_output == "imported left\n");

  auto other = shelf_with({{"other", "1.0.0", {}, {}, {}}});
  other.silent.insert(*other.statement.lockfile_hash);
  scene->core().push_packages(other);
  scene.wait_said("syncing " + other.statement.lockfile_hash->substr(0, 12));
  protocol::RunScript waits = script("import left from 'left'; console.log('imported', left);");
  waits.language = protocol::ScriptLanguage::module;
  waits.timeout = std::chrono::milliseconds(500);
  const auto refused = scene->run(std::move(waits));
  CHECK(refused.finished->outcome == "setup_failed");
  CHECK(refused.finished->error.value_or("").find("Script packages are not ready: expected " +
                                                  other.statement.lockfile_hash->substr(0, 12)) ==
        0);
  protocol::RunScript needs_none = script("console.log('none');");
  needs_none.language = protocol::ScriptLanguage::module;
  CHECK(scene->run(std::move(needs_none)).standard_output == "none\n");
}

TEST_CASE("exec shows a module the packages that are in use here, and doctor counts them") {
  const bool has_runtime =
      ::access("/usr/bin/node", X_OK) == 0 || ::access("/usr/local/bin/bun", X_OK) == 0;
  if (!require_layer("node or bun", has_runtime, "neither is there")) return;
  const auto shelf =
      shelf_with({{"left", "1.0.0", {{"index.js", "module.exports = 'left'"}}, {}, {}}});
  PackageScene scene(shelf);
  scene.ready(shelf);
  const TempDir files;
  const std::string file =
      files.write("imports.mjs", "import left from 'left'; export default left;");
  std::map<std::string, std::string> environment = shell_path;
  const auto without = run_satellite({"exec", file, "--json"}, environment);
  CHECK(without.exit_code != 0);
  CHECK(without.standard_output.find("Cannot find package 'left'") != std::string::npos);
  environment["STATE_DIRECTORY"] = scene.state();
  const auto with = run_satellite({"exec", file, "--json"}, environment);
  INFO(with.standard_output << with.standard_error);
  CHECK(with.exit_code == 0);
  CHECK(json::parse(with.standard_output).at("result") == "left");
  const auto doctor = run_satellite({"doctor"}, environment);
  INFO(doctor.standard_output);
  CHECK(doctor.standard_output.find("ok       script_packages") != std::string::npos);
  CHECK(doctor.standard_output.find("1 packages in use (" +
                                    shelf.statement.lockfile_hash->substr(0, 12) + ")") !=
        std::string::npos);
}

TEST_CASE("the command packages fetches, lists, and finds and removes what is damaged") {
  const auto shelf = shelf_with(wanted_packages);
  devcore::Settings settings;
  settings.tokens.emplace("satellite-1", "csat_right");
  settings.packages = shelf;
  auto core = devcore::DevCore::start(std::move(settings));
  if (!core) FAIL(core.error().message);
  const TempDir files;
  std::map<std::string, std::string> environment{
      {"STATE_DIRECTORY", files.path().string()},
      {"CHECKSTACK_CORE_URL", (*core)->url()},
      {"CHECKSTACK_SATELLITE_CLIENT_ID", "satellite-1"},
      {"CHECKSTACK_SATELLITE_TOKEN", "csat_right"},
      {"CHECKSTACK_SATELLITE_CA_FILE", files.write("ca.pem", (*core)->ca_pem())}};
  const auto packages = [&](const std::string& verb, int exit_code) {
    const auto done = run_satellite({"packages", verb, "--json"}, environment);
    INFO(verb << ": " << done.standard_output << done.standard_error);
    CHECK(done.exit_code == exit_code);
    return done.standard_output;
  };
  packages("list", 1);  // there is nothing to look at yet
  CHECK(packages("sync", 0).find(*shelf.statement.lockfile_hash) != std::string::npos);
  const json listed = json::parse(packages("list", 0));
  REQUIRE(listed.at("trees").size() == 1);
  const json& tree = listed.at("trees").at(0);
  CHECK(tree.at("lockfileHash") == *shelf.statement.lockfile_hash);
  CHECK(tree.at("inUse") == true);
  CHECK(tree.at("packages") == json{"@scope/tool@1.0.0", "left@1.0.0", "left@2.5.0"});
  CHECK(json::parse(packages("verify", 0)).at("damaged").empty());

  const fs::path file = files.path() / "script-packages/trees" / *shelf.statement.lockfile_hash /
                        "node_modules/left/index.js";
  const bool replaced = GENERATE(false, true);
  if (replaced) {
    fs::remove(file);
  } else {
    fs::permissions(file, fs::perms::owner_all);
  }
  std::ofstream(file) << "two";  // as long as before
  CHECK_FALSE(json::parse(packages("verify", 1)).at("damaged").empty());
  CHECK(json::parse(packages("verify", 0)).at("damaged").empty());
  packages("sync", 0);
  CHECK(file_text(file) == "one");
  environment["CHECKSTACK_SATELLITE_TOKEN"] = "csat_wrong";
  packages("sync", 1);
  environment["CHECKSTACK_SATELLITE_EPHEMERAL"] = "true";
  packages("sync", 2);
}

TEST_CASE("the command packages changes nothing beside a running satellite") {
  const auto shelf = shelf_with(wanted_packages);
  PackageScene scene(shelf);
  scene.ready(shelf);
  const std::map<std::string, std::string> environment{{"STATE_DIRECTORY", scene.state()}};
  const fs::path file = scene.modules(shelf) / "left/index.js";
  CHECK(run_satellite({"packages", "verify"}, environment).exit_code == 0);
  fs::permissions(file, fs::perms::owner_all);
  std::ofstream(file) << "two";
  const auto verified = run_satellite({"packages", "verify"}, environment);
  CHECK(verified.exit_code == 1);
  CHECK(verified.standard_output.find("a running satellite has the directory") !=
        std::string::npos);
  CHECK(file_text(file) == "two");
  const auto listed = run_satellite({"packages", "list"}, environment);
  CHECK(listed.standard_output.find("in use  3 packages") != std::string::npos);
}
