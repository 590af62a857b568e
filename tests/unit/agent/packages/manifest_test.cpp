#include "agent/packages/manifest/manifest.hpp"

#include "agent/packages/manifest/locale_order.hpp"
#include "agent/packages/manifest/package_name.hpp"
#include "tests/support/test_packages.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <string>
#include <vector>

using namespace satellite;
using namespace satellite::agent;

namespace {

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream in(path);
  REQUIRE(in);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

int sign(int number) {
  return number < 0 ? -1 : number > 0 ? 1 : 0;
}

const protocol::ScriptPackage left_pad{"left-pad", "1.3.0", "sha512-abc", std::nullopt};

}  // namespace

TEST_CASE("names and versions are ordered as JavaScript's localeCompare recorded it") {
  std::vector<std::vector<std::string>> lists(1);
  for (const std::string& line : lines_of(SATELLITE_ICU_ORDER)) {
    if (line.starts_with('#')) continue;
    if (line.empty()) {
      lists.emplace_back();
    } else {
      lists.back().push_back(line);
    }
  }
  REQUIRE(lists.size() == 2);
  std::size_t pairs = 0;
  for (const auto& list : lists) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      for (std::size_t j = 0; j < list.size(); ++j, ++pairs) {
        INFO(list[i] << " and " << list[j]);
        const int expected = i < j ? -1 : i > j ? 1 : 0;
        CHECK(sign(compare_in_locale_order(list[i], list[j])) == expected);
      }
    }
  }
  CHECK(pairs > 5'000);
}

TEST_CASE("a name or version that could lead elsewhere is none") {
  for (const char* name : {"a", "is-number", "@types/node", "a.b_c~d-e", "JSONStream", "0"}) {
    INFO(name);
    CHECK(check_package_name(name));
  }
  for (const char* name : {"",     ".",      "..",     ".store", "_x",    "a/b", "@a",
                           "@/b",  "@a/",    "@a/b/c", "@../x",  "@a/..", "a b", "node_modules",
                           "a\\b", "a/../b", "@.a/b",  "@a/.b",  "a\n",   "a+b", "\xc3\xa9"}) {
    INFO(name);
    CHECK_FALSE(check_package_name(name));
  }
  CHECK_FALSE(check_package_name(std::string(215, 'a')));
  for (const char* version : {"1.0.0", "1.0.0-beta.1+build"}) CHECK(check_package_version(version));
  for (const char* version : {"", "latest", "../1", "1/2", "1 0", "-1", ".1"}) {
    INFO(version);
    CHECK_FALSE(check_package_version(version));
  }
  CHECK(directory_name_of("@types/node", "1.0.0") == "@types+node@1.0.0");
}

TEST_CASE("a list of packages must be that of its hash, whatever its order") {
  auto message = tests::manifest_of({left_pad, {"@a/b", "1.0.0", "sha512-x", std::nullopt}});
  std::reverse(message.entries.begin(), message.entries.end());
  const auto manifest = check_manifest(message);
  REQUIRE(manifest);
  CHECK(manifest->entries.at(0).name == "@a/b");
  CHECK(label_of(manifest->entries.at(1)) == "left-pad@1.3.0");

  message.entries.back().integrity = "sha512-other";
  CHECK(check_manifest(message).error().code == ErrorCode::invalid_input);
  CHECK(check_manifest({message.lockfile_hash, {}}).error().code == ErrorCode::not_found);
  CHECK(check_manifest({std::string(hash_of_nothing), {}}));
  CHECK_FALSE(check_manifest({std::string(hash_of_nothing), {left_pad}}));
  CHECK_FALSE(check_manifest({"9f2c", {left_pad}}));
}

TEST_CASE("the hash of a list with names that bytes would order otherwise is JavaScript's") {
  // sha256 over the lines as node sorted them: a_b, a-b, jsonstream, JSONStream.
  const std::vector<protocol::ScriptPackage> entries{{"JSONStream", "1.0.0", "i1", std::nullopt},
                                                     {"a-b", "1.0.0", "i2", std::nullopt},
                                                     {"a_b", "1.0.0", "i3", std::nullopt},
                                                     {"jsonstream", "1.0.0", "i4", std::nullopt}};
  CHECK(check_manifest(
      {"b64d01795ce613fbf03771d96f6d21182ba8e305b739647ec77d3835478764e9", entries}));
}

TEST_CASE("a list with a package twice, or with what is no package, is refused and says which") {
  const auto refused = [](protocol::ScriptPackage package) {
    const auto checked = check_manifest(tests::manifest_of({std::move(package)}));
    return checked ? std::string("taken") : checked.error().message;
  };
  CHECK(refused(left_pad) == "taken");
  CHECK(refused({"../x", "1.0.0", "i", std::nullopt}).find("../x@1.0.0") != std::string::npos);
  CHECK(refused({"x", "latest", "i", std::nullopt}) != "taken");
  CHECK(refused({"x", "1.0.0", "", std::nullopt}) != "taken");
  CHECK(refused({"x", "1.0.0", "a b", std::nullopt}) != "taken");
  CHECK(refused({"x", "1.0.0", "i", "5d1e"}) != "taken");
  CHECK(refused({"x", "1.0.0", "i", std::string(hash_of_nothing)}) == "taken");
  CHECK_FALSE(check_manifest(tests::manifest_of({left_pad, left_pad})));
}

TEST_CASE("a list that was written is read again as it was") {
  auto message =
      tests::manifest_of({left_pad, {"@a/b", "1.0.0", "sha512-x", std::string(hash_of_nothing)}});
  const auto manifest = check_manifest(message);
  REQUIRE(manifest);
  const std::string text = manifest_text(*manifest);
  const auto again = parse_manifest_text(text);
  REQUIRE(again);
  CHECK(manifest_text(*again) == text);
  CHECK(again->entries.at(0).blob_sha256 == hash_of_nothing);
  for (const std::string& damaged : {text.substr(0, text.size() - 1), text.substr(1), text + "x\n",
                                     text + text, std::string()}) {
    CHECK_FALSE(parse_manifest_text(damaged));
  }
}
