#include "protocol/vocabulary/json_grammar.hpp"

#include "tests/support/repeated_names.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

using namespace satellite;
using nlohmann::json;

namespace {

std::string nested(std::size_t levels) {
  return std::string(levels, '[') + std::string(levels, ']');
}

}  // namespace

TEST_CASE("JSON as it comes from a core is recognised without a parser") {
  const auto text = GENERATE(values<std::string>(
      {"0", " [ ] ", "{}", "-0.25", "[1,-2.5,true,false,null,\"\"]",
       R"({"a":{"b":[{},[],{"c":"\"\\\/\b\f\n\r\t"}]}})", "\"\\u0041\\ud83d\\ude00\"",
       "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "{\"a\" : 1 ,\n\t\"b\" :\r[ 2 ] }"}));
  CAPTURE(text);
  REQUIRE(json::accept(text));
  CHECK(quick_json_shape(text));
}

TEST_CASE("depth and values are counted") {
  CHECK(quick_json_shape("1")->depth_max == 0);
  CHECK(quick_json_shape("1")->values == 1);
  CHECK(quick_json_shape("[1,2,[3]]")->depth_max == 2);
  CHECK(quick_json_shape("[1,2,[3]]")->values == 5);
  CHECK(quick_json_shape(nested(64))->depth_max == 64);
}

TEST_CASE("what takes a parser to say is left to it") {
  CHECK_FALSE(quick_json_shape(nested(65)));
  CHECK_FALSE(quick_json_shape("1e5"));
  CHECK_FALSE(quick_json_shape(std::string(400, '1')));
  CHECK_FALSE(quick_json_shape(R"({"\u0061":1})"));
}

TEST_CASE("an object with two members of one name is not taken, at any level and any size") {
  const std::size_t others = GENERATE(as<std::size_t>{}, 0, 1, 20, 5'000);
  std::string members;
  for (std::size_t i = 0; i < others; ++i) members += "\"n" + std::to_string(i) + "\":{\"x\":1},";
  CHECK_FALSE(quick_json_shape("{\"x\":1," + members + "\"x\":2}"));
  CHECK_FALSE(quick_json_shape("[0,{\"y\":{\"x\":1," + members + "\"x\":2}}]"));
  CHECK(quick_json_shape("{\"x\":1," + members + "\"X\":2}"));
  CHECK(quick_json_shape("[{\"x\":1},{\"x\":{" + members + "\"x\":2}}]"));
}

TEST_CASE("nothing is taken that the parser refuses, whatever is broken in it") {
  const char* const given = std::getenv("SIMULATION_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                         : std::random_device{}();
  INFO("SIMULATION_SEED=" << seed);
  std::minstd_rand random(seed);
  const std::string good =
      "{\"a\":[1,-2.50,{\"ba\":1,\"b\":{\"b\":2},\"c\":\"\\u00e9\\ud83d\\ude00\",\"d\":"
      "\"\xc3\xa9\xf0\x9f\x98\x80 "
      "\\\"x\\\\\"},[],{},true],\"b\":null}";
  constexpr char alphabet[] =
      "\0\x1f {}[]:,\"\\0123456789-.eEtfnrul\x7f\x80\xbf\xc0\xc3\xed\xf4\xff";
  const std::string bytes(alphabet, sizeof(alphabet) - 1);  // a NUL stands among them
  std::size_t refused = 0, repeated = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string text = good;
    for (auto changes = 1 + random() % 3; changes > 0; --changes) {
      const std::size_t at = random() % text.size();
      const char byte = bytes[random() % bytes.size()];
      switch (random() % 3) {
        case 0:
          text[at] = byte;
          break;
        case 1:
          text.insert(at, 1, byte);
          break;
        default:
          text.erase(at, 1 + random() % 4);
      }
    }
    if (!quick_json_shape(text)) {
      ++refused;
      if (json::accept(text) && tests::has_repeated_name(text)) ++repeated;
      continue;
    }
    INFO(json(text).dump(-1, ' ', true, json::error_handler_t::replace));
    REQUIRE(json::accept(text));
    REQUIRE_FALSE(tests::has_repeated_name(text));
    REQUIRE(text.find('\0') == std::string::npos);
  }
  CHECK(refused > 25'000);
  CHECK(refused < 100'000);
  CHECK(repeated > 5);
}
