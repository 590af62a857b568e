#include "protocol/vocabulary/bounded_json.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>

using namespace satellite;
using namespace satellite::byte_literals;

namespace {

constexpr JsonBounds small{1_KiB, 4, 8};
constexpr JsonBounds wide{16_MiB, 64, 2'000'000};

std::string repeated(std::string_view piece, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += piece;
  return text;
}

/// Both doors judge alike; the caller checks one code.
ErrorCode refusal(std::string_view text, const JsonBounds& bounds) {
  const auto parsed = parse_bounded_json(text, bounds);
  const auto checked = check_bounded_json(text, bounds);
  REQUIRE_FALSE(parsed.has_value());
  REQUIRE_FALSE(checked.has_value());
  CHECK(parsed.error().code == checked.error().code);
  return parsed.error().code;
}

}  // namespace

TEST_CASE("JSON within its bounds becomes a value") {
  const auto value = parse_bounded_json(R"({"a":[1,{"b":null}]})", small);
  REQUIRE(value.has_value());
  CHECK((*value)["a"][0] == 1);
  CHECK(check_bounded_json(R"({"a":[1,{"b":null}]})", small).has_value());
}

TEST_CASE("nesting of ten thousand levels is refused before anything is built") {
  CHECK(refusal(repeated("[", 10'000) + repeated("]", 10'000), wide) == ErrorCode::limit_exceeded);
  CHECK(refusal(repeated(R"({"a":)", 10'000) + "1" + repeated("}", 10'000), wide) ==
        ErrorCode::limit_exceeded);
  CHECK(refusal(repeated("[", 10'000), wide) == ErrorCode::limit_exceeded);
}

TEST_CASE("the depth limit is exact") {
  CHECK(parse_bounded_json("[[[[]]]]", small).has_value());
  CHECK(refusal("[[[[[]]]]]", small) == ErrorCode::limit_exceeded);
}

TEST_CASE("brackets, commas and quotes inside strings are no structure") {
  CHECK(parse_bounded_json(R"(["[[[[[[[[{{{{,,,,,,,,,,,,,\"[[[[["])", small).has_value());
  CHECK(parse_bounded_json(R"(["\\",[[[]]]])", small).has_value());
  CHECK(refusal(R"(["\\",[[[[[]]]]]])", small) == ErrorCode::limit_exceeded);
}

TEST_CASE("a text longer than its limit is refused whatever it holds") {
  CHECK(parse_bounded_json("\"" + std::string(1022, 'a') + "\"", small).has_value());
  CHECK(refusal("\"" + std::string(1023, 'a') + "\"", small) == ErrorCode::limit_exceeded);
}

TEST_CASE("more values than the limit are refused") {
  CHECK(parse_bounded_json("[1,2,3,4,5,6]", small).has_value());
  CHECK(refusal("[1,2,3,4,5,6,7,8,9]", small) == ErrorCode::limit_exceeded);
  CHECK(refusal("[" + repeated("{},", 3'000'000) + "{}]", wide) == ErrorCode::limit_exceeded);
}

TEST_CASE("what is no JSON is refused with a position and without its text") {
  const auto text = GENERATE(values<std::string>({"",
                                                  " ",
                                                  "{",
                                                  "}",
                                                  "[1,]",
                                                  "{\"secret-word\":}",
                                                  "nul",
                                                  "1e999",
                                                  "\"\xff\"",
                                                  "\"\xc0\x80\"",
                                                  "\"a\nb\"",
                                                  "{} {}",
                                                  "{\"a\" 1}",
                                                  "'secret-word'",
                                                  "\"\\ud800\"",
                                                  "01",
                                                  "+1",
                                                  "NaN",
                                                  "{\"a\":1,}",
                                                  "// c\n{}"}));
  CAPTURE(text);
  CHECK(refusal(text, wide) == ErrorCode::invalid_input);
  CHECK(parse_bounded_json(text, wide).error().message.find("secret-word") == std::string::npos);
}

TEST_CASE("an object with two members of one name is refused, and the name told") {
  const auto text = GENERATE(values<std::string>(
      {R"({"enabled":true,"enabled":false})", R"({"enabled":true,"\u0065nabled":false})",
       R"([1e3,{"a":{"enabled":1,"b":[],"enabled":1}}])", R"({"\n":1,"enabled":2,"enabled":2})"}));
  CAPTURE(text);
  CHECK(refusal(text, wide) == ErrorCode::invalid_input);
  CHECK(parse_bounded_json(text, wide).error().message.find("\"enabled\"") != std::string::npos);
  CHECK(parse_bounded_json(R"({"enabled":{"enabled":1},"b":[{"enabled":1}]})", wide).has_value());
}

TEST_CASE("nothing can be hidden behind a zero byte") {
  using namespace std::string_literals;
  CHECK(refusal("{}\0"s, wide) == ErrorCode::invalid_input);
  CHECK(refusal("{}\0{\"a\":1}"s, wide) == ErrorCode::invalid_input);
  CHECK(parse_bounded_json("\"\\u0000\"", wide).has_value());
}
