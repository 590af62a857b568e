#include "tests/tidy/source_tree.hpp"

#include <catch2/catch.hpp>

using satellite::tests::source_files;
using satellite::tests::SourceFile;

TEST_CASE("no file of the product is longer than 300 lines, no line than 100 columns") {
  const auto files = source_files({"protocol", "sandbox", "tls", "agent"});
  CHECK(files.size() > 50);
  for (const SourceFile& file : files) {
    INFO(file.path);
    CHECK(file.lines.size() <= 300);
    for (const std::string& line : file.lines) {
      INFO(line);
      // Bytes, not columns: an arrow or an ellipsis takes three.
      CHECK(line.size() <= 110);
    }
  }
}
