#include "protocol/vocabulary/base64.hpp"

#include "tests/devcore/codec/output_scanner.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <tuple>

using namespace satellite;

TEST_CASE("base64 is that of RFC 4648") {
  const auto [bytes, text] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xfb\xff\xbf", "+/+/"},
  }));
  std::string frame;
  append_base64(frame, bytes);
  CHECK(frame == text);
  CHECK(devcore::decode_base64(text) == bytes);
}

TEST_CASE("any bytes survive base64, and what is no base64 is refused") {
  std::mt19937 random(7);
  for (std::size_t size = 0; size < 300; ++size) {
    std::string bytes(size, ' ');
    for (char& c : bytes) c = static_cast<char>(random());
    std::string text;
    append_base64(text, bytes);
    REQUIRE(devcore::decode_base64(text) == bytes);
  }
  const auto broken =
      GENERATE(values<std::string>({"Zg", "Zg=", "Zg===", "Z===", "====", "Zh==", "Zm9=",
                                    "Zg==Zg==", "Z g=", "Zm9v\n", "Zm-_", "=Zg="}));
  CAPTURE(broken);
  CHECK_FALSE(devcore::decode_base64(broken).has_value());
}
