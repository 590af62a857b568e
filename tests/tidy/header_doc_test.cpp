#include "tests/tidy/source_tree.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using satellite::tests::source_files;
using satellite::tests::SourceFile;

namespace {

bool any_line(const SourceFile& file, const std::string& start) {
  return std::any_of(file.lines.begin(), file.lines.end(), [&start](const std::string& line) {
    return line.find(start) != std::string::npos;
  });
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
