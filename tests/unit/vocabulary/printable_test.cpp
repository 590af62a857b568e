#include "protocol/vocabulary/printable.hpp"

#include <catch2/catch.hpp>

using namespace satellite;

TEST_CASE("remote text becomes one plain line") {
  CHECK(printable("refresh_packages v2") == "refresh_packages v2");
  CHECK(printable("a\nlevel=error\x1b[31m\x7f\xc3\xa9") == "a?level=error?[31m???");
  CHECK(printable("abcdef", 3) == "abc...");
  CHECK(printable("abc", 3) == "abc");
  CHECK(printable(std::string(1000, 'x')).size() == 67);
}
