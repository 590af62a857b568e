#include "sandbox/capture/output_budget.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::sandbox;

namespace {

constexpr auto out = OutputStream::standard_output;
constexpr auto err = OutputStream::standard_error;

}  // namespace

TEST_CASE("both streams share one cap in arrival order") {
  OutputBudget budget(ByteCount{10});
  CHECK(budget.admit(out, "123456") == "123456");
  CHECK(budget.admit(err, "abc") == "abc");
  CHECK_FALSE(budget.closed());
  CHECK(budget.admit(out, "789") == "7");
  CHECK(budget.closed());
  CHECK(budget.admit(err, "x").empty());
  CHECK(budget.delivered(out) == ByteCount{7});
  CHECK(budget.delivered(err) == ByteCount{3});
  CHECK(budget.dropped() == ByteCount{3});
}

TEST_CASE("output of exactly the cap is not cut") {
  OutputBudget budget(ByteCount{3});
  CHECK(budget.admit(out, "abc") == "abc");
  CHECK_FALSE(budget.closed());
  CHECK(budget.admit(out, "").empty());
  CHECK_FALSE(budget.closed());
  CHECK(budget.dropped() == ByteCount{});
}

TEST_CASE("the cut falls between code points") {
  OutputBudget budget(ByteCount{4});
  CHECK(budget.admit(out, "a€€") == "a€");
  OutputBudget tight(ByteCount{3});
  CHECK(tight.admit(out, "a€") == "a");
  CHECK(tight.dropped() == ByteCount{3});
}

TEST_CASE("nothing later slips into the room that a cut code point left") {
  OutputBudget budget(ByteCount{3});
  CHECK(budget.admit(out, "a€") == "a");
  CHECK(budget.admit(err, "bc").empty());
}

TEST_CASE("without a cap everything is delivered and counted") {
  OutputBudget budget(std::nullopt);
  const std::string much(1 << 20, 'x');
  CHECK(budget.admit(out, much).size() == much.size());
  CHECK_FALSE(budget.closed());
  CHECK(budget.delivered(out) == ByteCount{much.size()});
}

TEST_CASE("drained bytes and a cut tail are counted as dropped") {
  OutputBudget budget(ByteCount{4});
  CHECK(budget.admit(out, "ab\xE2\x82") == "ab\xE2\x82");
  budget.take_back(out, ByteCount{2});
  budget.count_dropped(ByteCount{100});
  CHECK(budget.delivered(out) == ByteCount{2});
  CHECK(budget.dropped() == ByteCount{102});
}
