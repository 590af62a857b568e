#include "protocol/encoding/json_text.hpp"

#include "tests/devcore/codec/output_scanner.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <tuple>

using namespace satellite;
using namespace satellite::protocol;
using nlohmann::json;

namespace {

/// What a general JSON parser reads back, or nothing if we called the text no UTF-8.
std::optional<std::string> read_back(std::string_view text) {
  std::string frame = "kept";
  const bool encoded = append_json_string(frame, text);
  if (!encoded) {
    CHECK(frame == "kept");
    return std::nullopt;
  }
  const json value = json::parse(frame.substr(4), nullptr, false);
  REQUIRE(value.is_string());
  return value.get<std::string>();
}

}  // namespace

TEST_CASE("every ASCII character survives at every place of a word") {
  for (int c = 0; c < 0x80; ++c) {
    for (std::size_t place = 0; place < 17; ++place) {
      std::string text(17, 'x');
      text[place] = static_cast<char>(c);
      CAPTURE(c, place);
      REQUIRE(read_back(text) == text);
    }
  }
}

TEST_CASE("well-formed UTF-8 survives, and only that") {
  const auto [text, valid] = GENERATE(table<std::string, bool>({
      {"\xc2\x80", true},
      {"\xdf\xbf", true},
      {"\xe0\xa0\x80", true},
      {"\xed\x9f\xbf", true},
      {"\xee\x80\x80", true},
      {"\xef\xbf\xbf", true},
      {"\xf0\x90\x80\x80", true},
      {"\xf4\x8f\xbf\xbf", true},
      {"\xf0\x9f\x98\x80", true},
      {"\x80", false},
      {"\xbf", false},
      {"\xc0\x80", false},
      {"\xc1\xbf", false},
      {"\xc2", false},
      {"\xc2\x41", false},
      {"\xe0\x9f\xbf", false},
      {"\xe2\x82", false},
      {"\xed\xa0\x80", false},
      {"\xed\xbf\xbf", false},
      {"\xf0\x8f\xbf\xbf", false},
      {"\xf4\x90\x80\x80", false},
      {"\xf5\x80\x80\x80", false},
      {"\xf0\x9f\x98", false},
      {"\xff", false},
  }));
  const std::string text_at_end = "0123456" + text;
  CAPTURE(text);
  CHECK(read_back(text).has_value() == valid);
  CHECK(read_back(text + "tail of a text").has_value() == valid);
  CHECK(read_back(text_at_end).has_value() == valid);
  if (valid) CHECK(read_back(text_at_end) == text_at_end);
}

TEST_CASE("random bytes are judged as a general parser judges them") {
  std::mt19937 random(20260304);
  const std::string alphabet("ab\"\\\n\x01\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0\xff");
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 24, ' ');
    for (char& c : text) c = alphabet[random() % alphabet.size()];
    const bool valid = json(text).dump(-1, ' ', false, json::error_handler_t::ignore) ==
                       json(text).dump(-1, ' ', false, json::error_handler_t::replace);
    const auto back = read_back(text);
    REQUIRE(back.has_value() == valid);
    if (back) REQUIRE(*back == text);
  }
}
