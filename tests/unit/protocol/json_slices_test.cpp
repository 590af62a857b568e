#include "protocol/decoding/json_slices.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

using namespace satellite;
using namespace satellite::protocol;
using nlohmann::json;

namespace {

constexpr std::array<std::string_view, 2> wanted{"a", "b"};

std::optional<std::string_view> slice_of_a(std::string_view object) {
  const auto slices = JsonSlices::of(object, wanted);
  REQUIRE(slices.has_value());
  return slices->find("a");
}

}  // namespace

TEST_CASE("the slice of a member is its text, untouched") {
  const auto value = GENERATE(values<std::string>(
      {"1", "-1.50e+3", "\"\"", "\"x\"", R"("\\")", R"("\"")", R"("\\\"}")", "{}", "[]", "null",
       "true", R"({"b":{"a":[1,{"a":2}]}})", R"([ "]" , "}" ])", "\"\\u0061\"", "[[],[[]],{}]"}));
  CAPTURE(value);
  CHECK(slice_of_a("{\"a\":" + value + "}") == value);
  CHECK(slice_of_a(" { \"x\" : [1, 2] ,\n\"a\"\t: " + value + " , \"z\":{} } ") == value);
  CHECK(slice_of_a("{\"\\u0061\":" + value + "}") == value);
}

TEST_CASE("only the members of the object itself are found") {
  CHECK_FALSE(slice_of_a(R"({"x":{"a":1},"y":["a",{"a":2}],"z":"\"a\":3"})").has_value());
  CHECK_FALSE(slice_of_a("{}").has_value());
  CHECK_FALSE(slice_of_a(R"({"aa":1,"A":2,"":3})").has_value());
}

TEST_CASE("a member that occurs twice is refused, however it is spelled") {
  CHECK_FALSE(JsonSlices::of(R"({"a":1,"a":2})", wanted));
  CHECK_FALSE(JsonSlices::of(R"({"a":1,"\u0061":2})", wanted));
  CHECK(JsonSlices::of(R"({"a":1,"A":2})", wanted));
}

TEST_CASE("members become values as a whole parser would read them") {
  const std::string text = R"({"a":"caf\u00e9 \"x\"","b":"plain \u00e9","c":1})";
  const auto slices = JsonSlices::of(text, wanted);
  REQUIRE(slices.has_value());
  const json whole = json::parse(text);
  const json parsed = slices->parsed({"a", "b", "absent"});
  CHECK(parsed.size() == 2);
  CHECK(parsed["a"] == whole["a"]);
  CHECK(parsed["b"] == whole["b"]);
}

TEST_CASE("entries of an array are its values in order, up to the limit") {
  const auto entries = slice_entries(R"([ 1, "a,b" ,[2,3],{"x":[]} ])", 4);
  REQUIRE(entries.has_value());
  CHECK(*entries == std::vector<std::string_view>{"1", "\"a,b\"", "[2,3]", "{\"x\":[]}"});
  CHECK(slice_entries("[]", 0)->empty());
  CHECK(slice_entries("[1,2,3]", 2).error().code == ErrorCode::limit_exceeded);
  CHECK(slice_entries("{}", 2).error().code == ErrorCode::invalid_input);
}

TEST_CASE("nothing may follow an object or an array") {
  CHECK(JsonSlices::of("{\"a\":1} \n", wanted).has_value());
  CHECK_FALSE(JsonSlices::of("{\"a\":1}x", wanted).has_value());
  CHECK(slice_entries("[1] \n", 1).has_value());
  CHECK_FALSE(slice_entries("[1],", 1).has_value());
}

TEST_CASE("text that never passed a parser is survived") {
  const auto text = GENERATE(values<std::string>({"",          "{",           "{\"",
                                                  "{\"a",      "{\"a\"",      "{\"a\":",
                                                  "{\"a\":\"", "{\"a\":\"\\", "{\"a\":[",
                                                  "{\"a\":1",  "{\"a\":1,",   "[",
                                                  "[\"\\",     "[{",          "}",
                                                  "{]",        "{\"a\":}",    "{\"a\":1}x",
                                                  "{\\:1}",    "{:1}",        "{\"\\u00\":1}"}));
  CAPTURE(text);
  const auto slices = JsonSlices::of(text, wanted);
  const auto entries = slice_entries(text, 10);
  CHECK_FALSE((slices.has_value() && slices->find("a") && entries.has_value()));
}
