#include "protocol/vocabulary/result.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

using namespace satellite;

namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return Error{ErrorCode::invalid_input, "odd"};
  return number / 2;
}

Result<std::string> quarter_as_text(int number) {
  const auto once = half(number);
  if (!once) return once.error();
  const auto twice = half(*once);
  if (!twice) return twice.error();
  return std::to_string(*twice);
}

Result<void> refuse_negative(int number) {
  if (number < 0) return Error{ErrorCode::limit_exceeded, "negative"};
  return {};
}

}  // namespace

TEST_CASE("a result is a value or an error, and errors travel in one plain line") {
  CHECK(*quarter_as_text(12) == "3");
  CHECK(quarter_as_text(6).error() == Error{ErrorCode::invalid_input, "odd"});
  CHECK(quarter_as_text(7).error().message == "odd");
}

TEST_CASE("a result of nothing tells success from failure") {
  CHECK(refuse_negative(1).has_value());
  CHECK(refuse_negative(-1).error().code == ErrorCode::limit_exceeded);
}

TEST_CASE("a result carries values that can only move") {
  Result<std::unique_ptr<int>> made = std::make_unique<int>(7);
  REQUIRE(made);
  const std::unique_ptr<int> taken = std::move(made).value();
  CHECK(*taken == 7);
  Result<std::string> text = std::string("abc");
  CHECK(text->size() == 3);
  *text += 'd';
  CHECK(text.value() == "abcd");
}
