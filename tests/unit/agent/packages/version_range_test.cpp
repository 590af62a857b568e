#include "agent/packages/placement/version_range.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace satellite::agent;

namespace {

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

}  // namespace

TEST_CASE("ranges accept exactly the versions that npm's node-semver accepts") {
  std::ifstream in(SATELLITE_NPM_VERDICTS);
  std::vector<std::string> versions;
  std::size_t verdicts = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#')) continue;
    if (versions.empty()) {
      versions = words_of(line);
      continue;
    }
    std::string text = line.substr(0, line.rfind('\t'));
    const std::string expected = line.substr(line.rfind('\t') + 1);
    if (text.starts_with("\\t")) text.replace(0, 2, "\t");
    const auto range = VersionRange::parse(text);
    INFO("range '" << text << "'");
    if (expected == "-") {
      CHECK_FALSE(range.has_value());
      continue;
    }
    REQUIRE(range.has_value());
    for (std::size_t i = 0; i < versions.size(); ++i, ++verdicts) {
      const auto version = parse_version(versions[i]);
      REQUIRE(version);
      INFO("version " << versions[i]);
      CHECK(range->accepts(*version) == (expected.at(i) == 'y'));
    }
  }
  CHECK(verdicts > 3'000);
}

TEST_CASE("versions are ordered as node-semver recorded it") {
  const std::vector<std::string> sorted{
      "0.0.0",      "0.0.1",        "0.0.2-beta.1",  "0.1.0",        "0.1.2", "0.2.0",
      "1.0.0-0",    "1.0.0-alpha",  "1.0.0-alpha.1", "1.0.0-rc.1",   "1.0.0", "1.0.1",
      "1.2.0",      "1.2.3-beta.2", "1.2.3-beta.10", "1.2.3",        "1.3.0", "1.9.9",
      "2.0.0-0",    "2.0.0-beta",   "2.0.0",         "2.0.1",        "2.1.0", "2.3.4",
      "3.0.0-rc.0", "3.0.0",        "10.0.0",        "10.2.3-DATE.7"};
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    for (std::size_t j = 0; j < sorted.size(); ++j) {
      const int order = compare(*parse_version(sorted[i]), *parse_version(sorted[j]));
      INFO(sorted[i] << " and " << sorted[j]);
      CHECK((order < 0) == (i < j));
      CHECK((order > 0) == (i > j));
    }
  }
  for (const char* text : {"", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+", "x",
                           "9007199254740992.0.0", "1.2.3 4"}) {
    INFO(text);
    CHECK_FALSE(parse_version(text));
  }
}
