#include "tls/pin.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::tls;

TEST_CASE("a pin has one text, and curl's spelling of it is understood") {
  const std::string text = "sha256/AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
  const auto pin = parse_pin(text);
  REQUIRE(pin);
  for (unsigned i = 0; i < pin->size(); ++i) CHECK((*pin)[i] == i + 1);
  CHECK(text_of(*pin) == text);
  CHECK(parse_pin("sha256//" + text.substr(7)).value() == *pin);
}

TEST_CASE("what is no pin is refused") {
  const std::string text = GENERATE(
      as<std::string>(), "", "sha256/", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
      "sha1/AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
      "sha256/AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyB=",
      "sha256/AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHy==",
      "sha256/AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh",
      "sha256/AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHy!=",
      "sha256/ AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
      "3f:9a:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13:14:15:16:17:18:19:1a:1b:1c");
  const auto pin = parse_pin(text);
  INFO(text);
  REQUIRE_FALSE(pin);
  CHECK(name_of(pin.error().code) == "invalid_input");
}
