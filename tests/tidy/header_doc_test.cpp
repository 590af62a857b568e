#include "tests/tidy/source_tree.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <regex>
#include <string>

using satellite::tests::source_files;
using satellite::tests::SourceFile;

namespace {

bool any_line(const SourceFile& file, const std::string& start) {
  return std::any_of(file.lines.begin(), file.lines.end(), [&start](const std::string& line) {
    return line.find(start) != std::string::npos;
  });
}

/// Whether an item such as "Shape:" was broken within: of a line that is too long, clang-format
/// puts the last word on a line of its own, without the indentation.
bool is_torn(const std::string& line, const std::string& next) {
  if (next.find("///         ") == std::string::npos) return false;
  static const std::regex item("\\s*/// [A-Z][a-z]*( [a-z]+)?: .*"), plain("\\s*/// \\S.*");
  return std::regex_match(line, plain) && !std::regex_match(line, item);
}

}  // namespace

TEST_CASE("every header opens with #pragma once and says at its door what it is") {
  for (const SourceFile& file : source_files({"protocol", "sandbox", "tls", "agent"})) {
    if (file.path.substr(file.path.size() - 4) != ".hpp") continue;
    INFO(file.path);
    REQUIRE_FALSE(file.lines.empty());
    CHECK(file.lines.front() == "#pragma once");
    CHECK(any_line(file, "///"));
  }
}

TEST_CASE("no comment of a header is torn") {
  CHECK(is_torn("/// link", "///         in the place of the old one."));
  CHECK_FALSE(is_torn("/// Shape:  a few, each for one", "///         run."));
  CHECK_FALSE(is_torn("///         a few, each for one", "///         run."));
  for (const SourceFile& file : source_files({"protocol", "sandbox", "tls", "agent", "tests"})) {
    for (std::size_t i = 1; i < file.lines.size(); ++i) {
      if (is_torn(file.lines[i - 1], file.lines[i])) FAIL_CHECK(file.path << ':' << i);
    }
  }
}
