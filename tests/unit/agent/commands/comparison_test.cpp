#include "agent/commands/comparison.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace satellite::agent;

namespace {

std::string described(const std::string& first, const std::string& second) {
  std::string text;
  for (const auto& one : compare_lines(first, second)) {
    switch (one.kind) {
      case LineDifference::Kind::only_first:
        text += "-" + one.first + ";";
        break;
      case LineDifference::Kind::only_second:
        text += "+" + one.second + ";";
        break;
      case LineDifference::Kind::numbers:
        text += "~" + one.first + "/" + one.second + ";";
        break;
    }
  }
  return text;
}

}  // namespace

TEST_CASE("lines that both have are no difference, moved numbers are told apart from words") {
  const auto [first, second, difference] = GENERATE(table<std::string, std::string, std::string>({
      {"a\nb\n", "a\nb\n", ""},
      {"a\nb\nc\n", "a\nc\n", "-b;"},
      {"a\nc\n", "a\nb\nc\n", "+b;"},
      {"OK - 12.5% used\n", "OK - 3% used\n", "~OK - 12.5% used/OK - 3% used;"},
      {"OK - 12% used\n", "CRITICAL - 12% used\n", "-OK - 12% used;+CRITICAL - 12% used;"},
      {"", "x", "+x;"},
      {"x\n", "x", ""},
      {"/ 5\n/boot 6\n/home 7\n", "/ 8\n", "~/ 5// 8;-/boot 6;-/home 7;"},
  }));
  CHECK(described(first, second) == difference);
}

TEST_CASE("only words make two outputs differ") {
  CHECK_FALSE(differs_in_words(compare_lines("a 1\n", "a 2\n")));
  CHECK(differs_in_words(compare_lines("a 1\n", "b 1\n")));
}

TEST_CASE("long outputs are compared with a bound") {
  std::string one, other;
  for (int i = 0; i < 5'000; ++i) {
    one += "line\n";
    other += "other\n";
  }
  CHECK(compare_lines(one, other).size() <= 800);
}
