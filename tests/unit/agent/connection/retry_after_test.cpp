#include "agent/connection/retry_after.hpp"

#include <catch2/catch.hpp>

using namespace satellite::agent;
using namespace std::chrono_literals;

namespace {
// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
const auto now = std::chrono::system_clock::from_time_t(784'111'777);
}  // namespace

TEST_CASE("Retry-After is understood as seconds or a date, within one second and a quarter hour") {
  const auto [text, wanted] = GENERATE(table<std::string, std::chrono::seconds>({
      {"5", 5s},
      {"0", 1s},
      {"900", 900s},
      {"901", 900s},
      {"99999999999999999999999999", 900s},
      {"Sun, 06 Nov 1994 08:50:37 GMT", 60s},
      {"Sun, 06 Nov 1994 08:49:37 GMT", 1s},
      {"Sun, 06 Nov 1994 07:00:00 GMT", 1s},
      {"Mon, 07 Nov 2094 08:49:37 GMT", 900s},
      {"Fri, 31 Dec 9999 23:59:59 GMT", 900s},
      {"Mon, 01 Jan 2600 00:00:00 GMT", 900s},
      {"Mon, 01 Jan 0001 00:00:00 GMT", 1s},
  }));
  CAPTURE(text);
  CHECK(parse_retry_after(text, now) == wanted);
}

TEST_CASE("a Retry-After that is neither is no hint at all") {
  const std::string text =
      GENERATE(as<std::string>{}, "", " ", "-5", "+5", "5s", "1.5", "soon",
               "Sun, 06 Nov 1994 08:49:37 CET", "1994-11-06T08:49:37Z", "0x10");
  CAPTURE(text);
  CHECK_FALSE(parse_retry_after(text, now));
}
