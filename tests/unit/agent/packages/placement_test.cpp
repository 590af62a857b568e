#include "agent/packages/placement/placement.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

using namespace satellite;
using namespace satellite::agent;

namespace {

/// A package by its name, version and package.json.
PlacedPackage package(const std::string& name, const std::string& version,
                      const std::string& json = "{}") {
  auto needs = read_package_needs(json);
  REQUIRE(needs);
  return {name, version, *std::move(needs)};
}

/// `a@1.0.0 -> alias b@2.0.0` for every link, and the top versions.
std::map<std::string, std::string> seen_in(const std::vector<PlacedPackage>& packages) {
  const auto placement = place_packages(packages);
  REQUIRE(placement);
  std::map<std::string, std::string> seen;
  const auto label = [&](std::size_t index) {
    return packages[index].name + "@" + packages[index].version;
  };
  for (std::size_t i = 0; i < packages.size(); ++i) {
    for (const auto& link : placement->links[i]) {
      seen[label(i) + " " + link.alias] = label(link.target);
    }
  }
  for (const auto& [name, index] : placement->top) seen[name] = label(index);
  for (const auto& warning : placement->warnings) seen["warning"] += warning;
  return seen;
}

/// A recorded closure, and the versions that npm gives to each need of it.
struct RecordedClosure {
  std::vector<PlacedPackage> packages;
  std::map<std::string, std::string> by_npm;  ///< `a@1.0.0 need` -> ` 1.0.0 2.0.0 `
};

RecordedClosure recorded_closure() {
  RecordedClosure closure;
  std::ifstream file(SATELLITE_NPM_CLOSURE);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::vector<std::string> words;
    std::istringstream columns(line);
    for (std::string word; std::getline(columns, word, '\t');) words.push_back(word);
    if (!words.at(0).empty()) {
      closure.packages.push_back({words.at(0), words.at(1), {}});
      continue;
    }
    PlacedPackage& needing = closure.packages.back();
    needing.needs.push_back({PackageNeed::Kind::required, words.at(1), words.at(1), words.at(2)});
    closure.by_npm[needing.name + "@" + needing.version + " " + words.at(1)] =
        " " + words.at(3) + " ";
  }
  return closure;
}

}  // namespace

TEST_CASE("in a recorded closure nearly every need is met by the version that npm gives it") {
  const auto closure = recorded_closure();
  REQUIRE(closure.packages.size() > 300);
  const auto placement = place_packages(closure.packages);
  REQUIRE(placement);
  CHECK(placement->warnings.empty());
  std::size_t same = 0, other = 0;
  for (std::size_t i = 0; i < closure.packages.size(); ++i) {
    const auto& needing = closure.packages[i];
    CHECK(placement->links[i].size() == needing.needs.size());
    for (const auto& link : placement->links[i]) {
      const auto& seen = closure.packages[link.target];
      CHECK(seen.name == link.alias);
      const auto& by_npm =
          closure.by_npm.at(needing.name + "@" + needing.version + " " + link.alias);
      ++(by_npm.find(" " + seen.version + " ") != std::string::npos ? same : other);
    }
  }
  CHECK(same > 800);
  CHECK(other * 100 <= same);
  // What the operator asked for is at the top, whatever stands below.
  for (const std::string wanted : {"express", "chalk", "eslint", "jest", "webpack"}) {
    CHECK(placement->top.count(wanted) == 1);
  }
}

TEST_CASE("what a package imports without declaring it is found at the top") {
  const auto seen = seen_in({package("app", "1.0.0", R"({"dependencies":{"a":"^1"}})"),
                             package("a", "1.0.0", R"({"dependencies":{"deep":"*"}})"),
                             package("deep", "1.0.0")});
  CHECK(seen.at("deep") == "deep@1.0.0");
  CHECK(seen.count("app@1.0.0 deep") == 0);
}

TEST_CASE("each package sees the highest version that it accepts, whatever stands at the top") {
  const auto seen = seen_in({package("app", "1.0.0", R"({"dependencies":{"a":"^1","b":"*"}})"),
                             package("a", "1.0.0"), package("a", "1.2.0"), package("a", "2.0.0"),
                             package("b", "1.0.0", R"({"dependencies":{"a":"^2"}})")});
  CHECK(seen.at("app@1.0.0 a") == "a@1.2.0");
  CHECK(seen.at("b@1.0.0 a") == "a@2.0.0");
  CHECK(seen.count("warning") == 0);
}

TEST_CASE("the top version is the one that nobody accepts, else the one that most accept") {
  const auto asked = seen_in({package("x", "1.0.0", R"({"dependencies":{"a":"^1"}})"),
                              package("a", "1.0.0"), package("a", "2.0.0")});
  CHECK(asked.at("a") == "a@2.0.0");
  const auto older = seen_in({package("x", "1.0.0", R"({"dependencies":{"a":"^2"}})"),
                              package("a", "1.0.0"), package("a", "2.0.0")});
  CHECK(older.at("a") == "a@1.0.0");
  const auto most = seen_in({package("x", "1.0.0", R"({"dependencies":{"a":"^1"}})"),
                             package("y", "1.0.0", R"({"dependencies":{"a":"1.x"}})"),
                             package("z", "1.0.0", R"({"dependencies":{"a":"^2"}})"),
                             package("a", "1.0.0"), package("a", "2.0.0")});
  CHECK(most.at("a") == "a@1.0.0");
  const auto tie = seen_in({package("x", "1.0.0", R"({"dependencies":{"a":"*"}})"),
                            package("a", "1.0.0"), package("a", "2.0.0")});
  CHECK(tie.at("a") == "a@2.0.0");
}

TEST_CASE("a peer is the top version where it fits, and nothing where there is none") {
  const std::string host = R"({"peerDependencies":{"react":">=1"}})";
  const auto seen = seen_in({package("plugin", "1.0.0", host), package("react", "1.0.0"),
                             package("react", "2.0.0"), package("react", "3.0.0"),
                             package("x", "1.0.0", R"({"dependencies":{"react":"^3"}})"),
                             package("y", "1.0.0", R"({"dependencies":{"react":"^2"}})"),
                             package("z", "1.0.0", R"({"dependencies":{"react":"2"}})"),
                             package("w", "1.0.0", R"({"dependencies":{"react":"^1"}})")});
  CHECK(seen.at("react") == "react@2.0.0");
  CHECK(seen.at("plugin@1.0.0 react") == "react@2.0.0");
  const auto missing = seen_in({package(
      "plugin", "1.0.0",
      R"({"peerDependencies":{"a":"1","b":"1"},"peerDependenciesMeta":{"b":{"optional":true}}})")});
  CHECK(missing.size() == 1);
}

TEST_CASE("what is required and not there is told, and the nearest there is stands in for it") {
  const auto seen = seen_in({package("app", "1.0.0", R"({"dependencies":{"a":"^3","b":"1"},
                                       "optionalDependencies":{"c":"1"}})"),
                             package("a", "1.0.0"), package("a", "2.0.0")});
  CHECK(seen.at("app@1.0.0 a") == "a@2.0.0");
  CHECK(seen.at("warning").find("app@1.0.0 needs a@^3: not in the package list") !=
        std::string::npos);
  CHECK(seen.at("warning").find("b@1") != std::string::npos);
  CHECK(seen.at("warning").find("c@1") == std::string::npos);
}

TEST_CASE("an alias leads to the package that it names, and what is no range to any version") {
  const auto seen = seen_in({package("app", "1.0.0", R"({"dependencies":{"old":"npm:a@^1","scoped":
                 "npm:@s/b@2","any":"npm:a","a":"git+https://example.org/a.git","d":"latest"}})"),
                             package("a", "1.0.0"), package("a", "2.0.0"), package("@s/b", "2.0.0"),
                             package("d", "1.0.0")});
  CHECK(seen.at("app@1.0.0 old") == "a@1.0.0");
  CHECK(seen.at("app@1.0.0 scoped") == "@s/b@2.0.0");
  CHECK(seen.at("app@1.0.0 any") == "a@2.0.0");
  CHECK(seen.at("app@1.0.0 a") == "a@2.0.0");
  CHECK(seen.at("app@1.0.0 d") == "d@1.0.0");
}

TEST_CASE("packages that need each other, or themselves, are placed") {
  const auto seen = seen_in({package("a", "1.0.0", R"({"dependencies":{"b":"1","a":"1"}})"),
                             package("b", "1.0.0", R"({"dependencies":{"a":"1"}})")});
  CHECK(seen.at("a@1.0.0 b") == "b@1.0.0");
  CHECK(seen.at("b@1.0.0 a") == "a@1.0.0");
  CHECK(seen.count("a@1.0.0 a") == 0);
}

TEST_CASE("needs whose names lead elsewhere, and what is no text, are left out") {
  const auto needs = read_package_needs(
      "\xEF\xBB\xBF"
      R"({"dependencies":{"../x":"1","ok":"1","n":5,"x":"npm:../y@1"},"optionalDependencies":[1],
          "peerDependencies":{"ok":"2"}})");
  REQUIRE(needs);
  REQUIRE(needs->size() == 1);
  CHECK(needs->front().alias == "ok");
  CHECK_FALSE(read_package_needs("{"));
  CHECK_FALSE(read_package_needs(std::string(100, '[') + std::string(100, ']')));
  CHECK(read_package_needs("[]"));
}

TEST_CASE("a dependency that is optional, too, is optional") {
  const auto needs =
      read_package_needs(R"({"dependencies":{"a":"1","b":"1"},"optionalDependencies":{"a":"1"}})");
  REQUIRE(needs);
  const auto kind = [&](const std::string& alias) {
    return std::find_if(needs->begin(), needs->end(),
                        [&](const auto& need) { return need.alias == alias; })
        ->kind;
  };
  CHECK(needs->size() == 2);
  CHECK(kind("a") == PackageNeed::Kind::optional);
  CHECK(kind("b") == PackageNeed::Kind::required);
}

TEST_CASE("a closure made to cost more than any real one is refused") {
  std::vector<PlacedPackage> packages;
  for (int i = 0; i < 5'000; ++i) {
    PlacedPackage one{"a", "1.0." + std::to_string(i), {}};
    for (int need = 0; need < 5; ++need) {
      one.needs.push_back({PackageNeed::Kind::required, "n" + std::to_string(need), "a", "^1"});
    }
    packages.push_back(std::move(one));
  }
  const auto placement = place_packages(packages);
  REQUIRE_FALSE(placement);
  CHECK(placement.error().code == ErrorCode::limit_exceeded);
}
