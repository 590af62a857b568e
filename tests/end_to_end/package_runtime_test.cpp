// A tree as scripts see it: bound at /node_modules in a sandbox, imported by real runtimes.
#include "tests/end_to_end/package_scene.hpp"
#include "tests/support/file_text.hpp"
#include "tests/support/native_orders.hpp"
#include "tests/support/require_layer.hpp"

#include <unistd.h>
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace satellite;
using namespace satellite::tests;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

struct Runtime {
  const char* name;
  const char* program;
};
constexpr std::array runtimes{Runtime{"node", "/usr/bin/node"},
                              Runtime{"bun", "/usr/local/bin/bun"}};

/// The runtimes of this host; one that is missing is told.
std::vector<Runtime> present_runtimes() {
  std::vector<Runtime> present;
  for (const Runtime& runtime : runtimes) {
    const bool is_there = ::access(runtime.program, X_OK) == 0;
    if (require_part(runtime.name, is_there, std::string(runtime.program) + " is not there")) {
      present.push_back(runtime);
    }
  }
  return present;
}

/// What a module says that runs in a sandbox which shows the tree and has no network.
std::string said_by_module(NativeOrders& bench, const Runtime& runtime, const fs::path& modules,
                           const std::string& module) {
  sandbox::LaunchOrder order = bench.order();
  auto& steps = order.native->steps;
  steps.insert(steps.begin(),
               {sandbox::FileStepKind::bind, "node_modules", modules.string(), 0, 0755});
  ++order.native->root_steps;
  order.command = {
      "sh", "-c",
      "cat > module.mjs <<'END'\n" + module + "\nEND\n" + runtime.program + " module.mjs 2>&1"};
  const auto end = bench.perform(order);
  INFO(runtime.name << ": " << end.output);
  REQUIRE(std::holds_alternative<sandbox::RunEnded>(end.record.event));
  return end.output;
}

struct Closure {
  devcore::PackageShelf shelf;
  std::vector<std::string> roots;
  std::size_t packages = 0;
  std::string name_in_two_versions;
  json edges;  ///< `a@1.0.0 dependency` -> the versions that npm gives it
};

/// What fetch_closure.mjs left.
Closure closure_in(const fs::path& directory) {
  const json about = json::parse(file_text(directory / "closure.json"));
  Closure closure;
  closure.roots = about.at("roots").get<std::vector<std::string>>();
  protocol::ScriptPackageManifest manifest{about.at("lockfileHash"), {}};
  std::set<std::string> names;
  for (const json& entry : about.at("entries")) {
    manifest.entries.push_back(
        {entry.at("name"), entry.at("version"), entry.at("integrity"), entry.at("blobSha256")});
    const std::string blob = entry.at("blobSha256");
    closure.shelf.blobs[entry.at("integrity")] = file_text(directory / "blobs" / blob);
    if (!names.insert(entry.at("name")).second) closure.name_in_two_versions = entry.at("name");
  }
  closure.packages = manifest.entries.size();
  closure.edges = about.at("edges");
  closure.shelf.statement = {true, manifest.lockfile_hash};
  closure.shelf.manifests[manifest.lockfile_hash] = std::move(manifest);
  return closure;
}

/// The version that a package of the tree sees under this name; empty = none.
std::string seen_version(const fs::path& modules, const std::string& package,
                         const std::string& name) {
  std::string place = package;
  std::replace(place.begin(), place.end(), '/', '+');
  const fs::path about = modules / ".store" / place / "node_modules" / name / "package.json";
  const json parsed = json::parse(file_text(about), nullptr, false);
  return parsed.is_object() ? parsed.value("version", "") : "";
}

/// Compares every edge of the tree with npm's own choice.
void compare_with_npm(const Closure& closure, const fs::path& modules) {
  std::size_t same = 0, other = 0;
  std::string none;
  for (const auto& [edge, versions] : closure.edges.items()) {
    if (versions.empty()) continue;  // comes within another package
    const std::size_t space = edge.find(' ');
    const std::string seen = seen_version(modules, edge.substr(0, space), edge.substr(space + 1));
    if (seen.empty()) none += edge + "; ";
    const bool is_npms = std::find(versions.begin(), versions.end(), seen) != versions.end();
    ++(is_npms ? same : other);
  }
  WARN(same << " dependencies have npm's own version, " << other << " another");
  INFO(none);
  CHECK(none.empty());
  CHECK(same > 300);
  CHECK(other * 50 <= same);
}

}  // namespace

TEST_CASE("runtimes in a sandbox import packages from /node_modules and cannot change them") {
  const auto present = present_runtimes();
  if (!require_layer("node or bun", !present.empty(), "neither is there")) return;
  const auto shelf =
      shelf_with({{"@scope/tool",
                   "1.0.0",
                   {{"index.js", "module.exports = 'tool with left ' + require('left')"}},
                   {{"left", "^2.0.0"}},
                   {}},
                  {"left", "1.0.0", {{"index.js", "module.exports = 1"}}, {}, {}},
                  {"left", "2.5.0", {{"index.js", "module.exports = 2"}}, {}, {}},
                  {"new", "1.0.0", {{"index.mjs", "export default 'esm'"}}, {}, {}}});
  PackageScene scene(shelf);
  scene.ready(shelf);
  NativeOrders bench;
  for (const Runtime& runtime : present) {
    const std::string said = said_by_module(bench, runtime, scene.modules(shelf), R"(
      import fs from "node:fs";
      import tool from "@scope/tool";
      import left from "left";
      import esm from "new/index.mjs";
      console.log(tool, left, esm);
      for (const attempt of [
        () => fs.writeFileSync("/node_modules/left/index.js", "x"),
        () => fs.writeFileSync("/node_modules/added.js", "x"),
        () => fs.writeFileSync("own.js", "x"),
        () => fs.chmodSync("/node_modules/left/index.js", 0o777),
        () => fs.unlinkSync("/node_modules/.store/left@1.0.0/node_modules/left/index.js"),
      ]) {
        try { attempt(); console.log("done"); } catch (error) {
          // The mode of a file or Landlock may say no before the file system does.
          console.log(["EROFS", "EACCES"].includes(error.code) ? "refused" : error.code);
        }
      }
      console.log(fs.existsSync("/node_modules/../store"), fs.readdirSync("/").includes("trees"));
      try { await import("not-there"); } catch (error) { console.log("no not-there"); }
    )");
    CHECK(said ==
          "tool with left 2 1 esm\nrefused\nrefused\ndone\nrefused\nrefused\nfalse false\nno "
          "not-there\n");
  }
  CHECK(file_text(scene.modules(shelf) / "left/index.js") == "module.exports = 1");
}

TEST_CASE("a real closure is fetched, imported without network, and ready after a restart") {
  const char* const directory = std::getenv("SATELLITE_CLOSURE");
  if (!require_layer("closure", directory != nullptr,
                     "SATELLITE_CLOSURE names no directory of fetch_closure.mjs")) {
    return;
  }
  const Closure closure = closure_in(directory);
  CHECK(closure.packages >= 300);
  CHECK_FALSE(closure.name_in_two_versions.empty());
  PackageScene scene(closure.shelf);
  scene.ready(closure.shelf);
  WARN(closure.packages << " packages; " << closure.name_in_two_versions << " twice");
  const fs::path modules = scene.modules(closure.shelf);
  compare_with_npm(closure, modules);
  NativeOrders bench;
  for (const Runtime& runtime : present_runtimes()) {
    std::string module = "let count = 0;\n";
    for (const std::string& root : closure.roots) {
      module += "await import(" + json(root).dump() + "); ++count;\n";
    }
    module += "console.log('imported', count); process.exit(0);";
    const std::string said = said_by_module(bench, runtime, modules, module);
    CHECK(said.find("imported " + std::to_string(closure.roots.size())) != std::string::npos);
    const std::string resolved = said_by_module(bench, runtime, modules, R"(
      import fs from "node:fs";
      import { createRequire } from "node:module";
      // Every dependency that a package declares is found from where that package lies.
      let found = 0, missing = [];
      for (const dir of fs.readdirSync("/node_modules/.store")) {
        const at = dir.lastIndexOf("@"), name = dir.slice(0, at).replace("+", "/");
        const place = `/node_modules/.store/${dir}/node_modules/`;
        const about = JSON.parse(fs.readFileSync(place + name + "/package.json", "utf8"));
        for (const need of Object.keys(about.dependencies ?? {})) {
          if (need in (about.optionalDependencies ?? {})) continue;
          if (fs.existsSync(place + need + "/package.json") ||
              fs.existsSync(place + name + "/node_modules/" + need + "/package.json")) ++found;
          else missing.push(dir + " -> " + need);
        }
      }
      console.log("found", found > 300, "missing", missing.join());
      try { fs.writeFileSync("/node_modules/x", ""); } catch (error) {
        console.log(["EROFS", "EACCES"].includes(error.code) ? "refused" : error.code);
      }
      process.exit(0);
    )");
    CHECK(resolved == "found true missing \nrefused\n");
  }
  scene.stop();
  auto forgetful = closure.shelf;
  forgetful.manifests.clear();
  forgetful.blobs.clear();
  scene.start(forgetful);
  scene.ready(closure.shelf);
  CHECK(scene.asked("request_script_package_manifest") == 0);
}
