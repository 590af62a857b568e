#include "protocol/vocabulary/json_fields.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <tuple>

using namespace satellite;
using namespace satellite::byte_literals;
using nlohmann::json;

namespace {

enum class Colour { red, blue };
constexpr std::array colour_words{Word<Colour>{"red", Colour::red},
                                  Word<Colour>{"blue", Colour::blue}};

constexpr MapBounds map_bounds{2, 8_B, 12_B};

}  // namespace

TEST_CASE("members of the right type and size are read") {
  json object = json::parse(R"({"t":"text","n":null,"i":5.0,"e":2e3,"x":1.5,"f":true,"w":"blue",
                                "l":["a","b"],"m":{"k":"v"},"o":{},"a":[1]})");
  JsonFields fields(object, "$");
  CHECK(fields.required_text("t", 4_B) == "text");
  CHECK(fields.nullable_text("n", 4_B) == std::nullopt);
  CHECK(fields.required_integer("i", {5, 5}) == 5);
  CHECK(fields.required_integer("e", {0, 2000}) == 2000);
  CHECK(fields.required_number("x") == 1.5);
  CHECK(fields.required_flag("f"));
  CHECK(fields.required_word<Colour>("w", colour_words) == Colour::blue);
  CHECK(fields.required_texts("l", {2, 1_B}) == std::vector<std::string>{"a", "b"});
  CHECK(fields.optional_text_map("m", map_bounds)->at("k") == "v");
  CHECK(fields.optional_object("o") != nullptr);
  CHECK(fields.optional_array("a", 1) != nullptr);
  CHECK_FALSE(fields.failed());
}

TEST_CASE("absent optional members are nothing, not a failure") {
  json object = json::object();
  JsonFields fields(object, "$");
  CHECK(fields.optional_text("a", 1_B) == std::nullopt);
  CHECK(fields.optional_remark("a", 1_B) == std::nullopt);
  CHECK(fields.optional_number("a") == std::nullopt);
  CHECK(fields.optional_flag("a") == std::nullopt);
  CHECK(fields.optional_texts("a", {1, 1_B}).empty());
  CHECK(fields.optional_text_map("a", map_bounds) == std::nullopt);
  CHECK_FALSE(fields.optional_secret_map("a", map_bounds).has_value());
  CHECK(fields.optional_word<Colour>("a", colour_words, Colour::blue) == Colour::blue);
  CHECK(fields.optional_object("a") == nullptr);
  CHECK(fields.optional_array("a", 1) == nullptr);
  CHECK_FALSE(fields.failed());
}

TEST_CASE("each broken rule is named with its path and without the value") {
  using Read = void (*)(JsonFields&);
  const auto [text, read, code, path] = GENERATE(table<std::string, Read, ErrorCode, std::string>({
      {R"({})", [](JsonFields& f) { f.required_text("a", 9_B); }, ErrorCode::invalid_input,
       "$.a: "},
      {R"({"a":7777})", [](JsonFields& f) { f.required_text("a", 9_B); }, ErrorCode::invalid_input,
       "$.a: "},
      {R"({"a":null})", [](JsonFields& f) { f.optional_text("a", 9_B); }, ErrorCode::invalid_input,
       "$.a: "},
      {R"({"a":"7777"})", [](JsonFields& f) { f.required_text("a", 3_B); },
       ErrorCode::limit_exceeded, "$.a: "},
      {R"({})", [](JsonFields& f) { f.nullable_text("a", 3_B); }, ErrorCode::invalid_input,
       "$.a: "},
      {R"({"a":77.77})", [](JsonFields& f) { f.required_integer("a", {0, 1000}); },
       ErrorCode::invalid_input, "$.a: "},
      {R"({"a":7777})", [](JsonFields& f) { f.required_integer("a", {0, 100}); },
       ErrorCode::invalid_input, "$.a: "},
      {R"({"a":-7777})", [](JsonFields& f) { f.required_integer("a", {0, 100}); },
       ErrorCode::invalid_input, "$.a: "},
      {R"({"a":7777777777777777777777777})",
       [](JsonFields& f) { f.required_integer("a", {0, json_integer_max}); },
       ErrorCode::invalid_input, "$.a: "},
      {R"({"a":"7777"})", [](JsonFields& f) { f.required_number("a"); }, ErrorCode::invalid_input,
       "$.a: "},
      {R"({"a":"true"})", [](JsonFields& f) { f.required_flag("a"); }, ErrorCode::invalid_input,
       "$.a: "},
      {R"({"a":"7777"})", [](JsonFields& f) { f.required_word<Colour>("a", colour_words); },
       ErrorCode::invalid_input, "$.a: "},
      {R"({"a":["b",7777]})", [](JsonFields& f) { f.optional_texts("a", {9, 9_B}); },
       ErrorCode::invalid_input, "$.a[1]: "},
      {R"({"a":["b","7777"]})", [](JsonFields& f) { f.optional_texts("a", {9, 3_B}); },
       ErrorCode::limit_exceeded, "$.a[1]: "},
      {R"({"a":[1,2,3]})", [](JsonFields& f) { f.optional_array("a", 2); },
       ErrorCode::limit_exceeded, "$.a: "},
      {R"({"a":{}})", [](JsonFields& f) { f.optional_array("a", 2); }, ErrorCode::invalid_input,
       "$.a: "},
      {R"({"a":[]})", [](JsonFields& f) { f.optional_object("a"); }, ErrorCode::invalid_input,
       "$.a: "},
      {R"({"a":{"FOO":7777}})", [](JsonFields& f) { f.optional_text_map("a", map_bounds); },
       ErrorCode::invalid_input, "$.a.FOO: "},
      {R"({"a":{"FOO":"777777"}})", [](JsonFields& f) { f.optional_secret_map("a", map_bounds); },
       ErrorCode::limit_exceeded, "$.a.FOO: "},
      {R"({"a":{"FOOFOOFOO":""}})", [](JsonFields& f) { f.optional_text_map("a", map_bounds); },
       ErrorCode::limit_exceeded, "$.a.FOOFOOFOO: "},
      {R"({"a":{"A":"777777","B":"777777"}})",
       [](JsonFields& f) { f.optional_text_map("a", map_bounds); }, ErrorCode::limit_exceeded,
       "$.a: "},
      {R"({"a":{"A":"","B":"","C":""}})",
       [](JsonFields& f) { f.optional_text_map("a", map_bounds); }, ErrorCode::limit_exceeded,
       "$.a: "},
      {R"([7777])", [](JsonFields& f) { f.required_text("a", 9_B); }, ErrorCode::invalid_input,
       "$: "},
  }));
  CAPTURE(text);
  json value = json::parse(text);
  JsonFields fields(value, "$");
  read(fields);
  REQUIRE(fields.failed());
  CHECK(fields.error().code == code);
  CHECK(fields.error().message.substr(0, path.size()) == path);
  CHECK(fields.error().message.find("7777") == std::string::npos);
}

TEST_CASE("the first failure is the one that is kept") {
  json object = json::parse(R"({"a":1,"b":2})");
  JsonFields fields(object, "$");
  fields.required_text("a", 1_B);
  fields.required_text("b", 1_B);
  CHECK(fields.error().message == "$.a: must be a string");
}

TEST_CASE("a text for people is cut between code points instead of being refused") {
  json object = json::parse(R"({"a":"abc\u00e9\u00e9"})");
  JsonFields fields(object, "$");
  CHECK(fields.required_remark("a", 6_B) == "abc\xc3\xa9");
  CHECK_FALSE(fields.failed());
}

TEST_CASE("a secret leaves no copy in the JSON value") {
  json object =
      json::parse(R"({"a":{"short":"pw-1234","long":"password-longer-than-any-buffer"}})");
  const std::string* value = object["a"]["short"].get_ptr<const std::string*>();
  JsonFields fields(object, "$");
  const auto secrets = fields.optional_secret_map("a", {9, 1_KiB, 1_KiB});
  REQUIRE(secrets);
  CHECK(secrets->at("short").reveal() == "pw-1234");
  CHECK(secrets->at("long").reveal() == "password-longer-than-any-buffer");
  CHECK(value->empty());
  CHECK(std::string_view(value->data(), 7) == std::string_view("\0\0\0\0\0\0\0", 7));
}

TEST_CASE("a hostile member name is shortened and masked in the path") {
  CHECK(json_path("$.env", "FOO") == "$.env.FOO");
  CHECK(json_path("$", "a\nb\x1b") == "$.a?b?");
  CHECK(json_path("$", std::string(500, 'n')).size() == 69);
}
