#include "sandbox/module/module_answer.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::sandbox;

namespace {

std::optional<ModuleAnswer> answer_to(const std::string& bytes) {
  AnswerLine line;
  line.feed(bytes);
  line.finish();
  return line.take();
}

}  // namespace

TEST_CASE("an answer is the byte R and one line") {
  const auto result = answer_to("R{\"ok\":true,\"result\":{\"a\":[1,\"x\"]}}\n");
  REQUIRE(result);
  CHECK(result->ok);
  CHECK(result->result_json == R"({"a":[1,"x"]})");
  const auto error = answer_to("R{\"ok\":false,\"error\":\"e\",\"stack\":\"s\"}\n");
  REQUIRE(error);
  CHECK_FALSE(error->ok);
  CHECK(error->error == "e");
  CHECK(error->stack == "s");
}

TEST_CASE("an answer may come in any pieces") {
  const std::string bytes = "R{\"ok\":true,\"result\":\"\xC3\xA9\"}\n";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    AnswerLine line;
    line.feed(bytes.substr(0, cut));
    CHECK(line.is_loaded() == (cut > 0));
    CHECK(line.has_answer() == (cut == bytes.size()));
    line.feed(bytes.substr(cut));
    const auto answer = line.take();
    REQUIRE(answer);
    CHECK(answer->result_json == "\"\xC3\xA9\"");
  }
}

TEST_CASE("the first line counts, and nothing after it") {
  const auto answer = answer_to("R{\"ok\":true,\"result\":1}\n{\"ok\":true,\"result\":2}\nR");
  REQUIRE(answer);
  CHECK(answer->result_json == "1");
}

TEST_CASE("what is not of this form is no answer") {
  const std::string bytes = GENERATE(
      "", "R", "{\"ok\":true}\n", "RR{\"ok\":true}\n", "R\n", "R{\"ok\":true,\"result\":1}",
      "R[]\n", "R{\"ok\":1}\n", "R{\"result\":1}\n", "R{\"ok\":false}\n",
      "R{\"ok\":false,\"error\":5}\n", "R{\"ok\":true,\"ok\":false}\n",
      "R{\"ok\":true,\"result\":\"\xFF\"}\n", "R{\"ok\":true\n}\n");
  CHECK_FALSE(answer_to(bytes));
}

TEST_CASE("unknown members are ignored, and a result that is missing is null") {
  const auto answer = answer_to("R{\"later\":1,\"ok\":true,\"stack\":\"s\"}\n");
  REQUIRE(answer);
  CHECK(answer->result_json == "null");
  CHECK_FALSE(answer->stack);
}

TEST_CASE("half a surrogate pair becomes the replacement character") {
  const auto answer = answer_to("R{\"ok\":true,\"result\":\"\\ud800\"}\n");
  REQUIRE(answer);
  CHECK(answer->result_json == "\"\uFFFD\"");
}

TEST_CASE("a result past its bounds is an error that says so") {
  const std::size_t size = module_answer_size_max.value;
  const std::string deep = std::string(60, '[') + std::string(60, ']');
  std::string many = "[0";
  for (int i = 0; i < 250'000; ++i) many += ",0";
  // Such a number is written out when it is handed on.
  std::string grows = "[1e15";
  for (int i = 0; i < 190'000; ++i) grows += ",1e15";
  const std::string result =
      GENERATE_REF(std::string("\"") + std::string(size, 'x') + "\"", deep, many + "]");
  const auto answer = answer_to("R{\"ok\":true,\"result\":" + result + "}\n");
  REQUIRE(answer);
  CHECK_FALSE(answer->ok);
  CHECK(answer->error == "Script result is too large");
  const auto fits = answer_to("R{\"ok\":true,\"result\":" + grows + "]}\n");
  REQUIRE(fits);
  CHECK((!fits->ok || fits->result_json.size() <= size));
}

TEST_CASE("a line without an end is given up at the bound") {
  AnswerLine line;
  line.feed("R");
  const std::string piece(1U << 20U, ' ');
  for (int i = 0; i < 4; ++i) line.feed(piece);
  CHECK_FALSE(line.has_answer());
  line.feed(" ");
  CHECK(line.has_answer());
  CHECK(line.is_complete());
}

TEST_CASE("error and stack are cut on a character") {
  const std::string text = std::string(module_error_size_max.value - 1, 'x') + "\xC3\xA9";
  const auto answer =
      answer_to("R{\"ok\":false,\"error\":\"" + text + "\",\"stack\":\"" + text + "\"}\n");
  REQUIRE(answer);
  CHECK(answer->error.size() == module_error_size_max.value - 1);
  CHECK(answer->stack->size() == module_error_size_max.value - 1);
}
