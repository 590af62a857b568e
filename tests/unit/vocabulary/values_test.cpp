#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/ids.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <catch2/catch.hpp>
#include <type_traits>
#include <unordered_set>

using namespace satellite;
using namespace satellite::byte_literals;

static_assert(!std::is_convertible_v<RunId, ConfigId> &&
              !std::is_convertible_v<std::string, RunId>);

TEST_CASE("byte counts are binary multiples and compare as numbers") {
  CHECK((2_KiB).value == 2048);
  CHECK(1_MiB == 1024 * 1_KiB);
  CHECK(3_B + 4_B - 2_B == 5_B);
  CHECK(1_KiB < 1_MiB);
}

TEST_CASE("ids of one kind compare by their text") {
  const std::unordered_set<RunId> ids{RunId("a"), RunId("b"), RunId("a")};
  CHECK(ids.size() == 2);
  CHECK(RunId("a") < RunId("b"));
}

TEST_CASE("a frame that authenticates may hold the largest set of assignments") {
  CHECK(limits::frame_size_max_before_authentication == limits::frame_size_max);
}
