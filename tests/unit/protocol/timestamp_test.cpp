#include "protocol/timestamp.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <tuple>

using namespace satellite;
using namespace satellite::protocol;
using Clock = std::chrono::system_clock;

namespace {

Clock::time_point at(std::int64_t milliseconds) {
  return Clock::time_point(std::chrono::milliseconds(milliseconds));
}

}  // namespace

TEST_CASE("a time is written in UTC with milliseconds") {
  CHECK(format_timestamp(at(0)) == "1970-01-01T00:00:00.000Z");
  CHECK(format_timestamp(at(1'772'600'767'089)) == "2026-03-04T05:06:07.089Z");
  CHECK(format_timestamp(at(1'709'164'799'999)) == "2024-02-28T23:59:59.999Z");
  CHECK(format_timestamp(at(-1)) == "1969-12-31T23:59:59.999Z");
  CHECK(format_timestamp(at(0) + std::chrono::nanoseconds(999'999)) == "1970-01-01T00:00:00.000Z");
}

TEST_CASE("times with and without fraction and offset are read") {
  const auto [text, milliseconds] = GENERATE(table<std::string, std::int64_t>({
      {"1970-01-01T00:00:00Z", 0},
      {"2026-03-04T05:06:07.089Z", 1'772'600'767'089},
      {"2026-03-04T05:06:07.0899999Z", 1'772'600'767'089},
      {"2026-03-04T05:06:07.1Z", 1'772'600'767'100},
      {"2026-03-04T07:06:07+02:00", 1'772'600'767'000},
      {"2026-03-03T23:36:07-05:30", 1'772'600'767'000},
      {"2024-02-29T00:00:00Z", 1'709'164'800'000},
      {"2016-12-31T23:59:60Z", 1'483'228'800'000},
  }));
  CAPTURE(text);
  const auto time = parse_timestamp(text);
  REQUIRE(time.has_value());
  CHECK(*time == at(milliseconds));
}

TEST_CASE("a time past the clock's range is its end") {
  CHECK(*parse_timestamp("2262-04-11T23:47:16Z") < Clock::time_point::max());
  CHECK(*parse_timestamp("2262-04-12T00:00:00Z") == Clock::time_point::max());
  CHECK(*parse_timestamp("9999-12-31T23:59:59.999Z") == Clock::time_point::max());
}

TEST_CASE("what is no time is refused") {
  const auto text = GENERATE(values<std::string>({"",
                                                  "now",
                                                  "2026-03-04",
                                                  "2026-03-04T05:06Z",
                                                  "2026-03-04T05:06:07",
                                                  "2026-03-04 05:06:07Z",
                                                  "2026-3-4T05:06:07Z",
                                                  "2026-13-04T05:06:07Z",
                                                  "2026-02-30T05:06:07Z",
                                                  "2023-02-29T00:00:00Z",
                                                  "2026-03-04T24:00:00Z",
                                                  "2026-03-04T05:60:07Z",
                                                  "2026-03-04T05:06:61Z",
                                                  "2026-03-04T05:06:07.Z",
                                                  "2026-03-04T05:06:07.1234567890Z",
                                                  "2026-03-04T05:06:07ZZ",
                                                  "2026-03-04T05:06:07+2:00",
                                                  "2026-03-04T05:06:07+24:00",
                                                  "1969-12-31T23:59:59Z",
                                                  "+2026-03-04T05:06:07Z",
                                                  "2026-03-04T05:06:07-00:60",
                                                  "-026-03-04T05:06:07Z"}));
  CAPTURE(text);
  const auto time = parse_timestamp(text);
  REQUIRE_FALSE(time.has_value());
  CHECK(time.error().code == ErrorCode::invalid_input);
}
