#include "protocol/negotiation.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace satellite::protocol;
using Declared = std::vector<std::string>;

namespace {

constexpr std::array<std::string_view, 2> both_announced{"script-dispatch", "result-ack"};

}  // namespace

TEST_CASE("an existing core declares nothing and gets nothing") {
  const auto negotiated = negotiate(Declared{});
  CHECK_FALSE(negotiated.script_dispatch);
  CHECK_FALSE(negotiated.result_ack);
  CHECK(negotiated.ignored.empty());
}

TEST_CASE("each extension is on by itself once the core declares its major version") {
  CHECK(negotiate(Declared{"script-dispatch/1"}).script_dispatch);
  CHECK_FALSE(negotiate(Declared{"script-dispatch/1"}, both_announced).result_ack);
  CHECK(negotiate(Declared{"result-ack/1"}, both_announced).result_ack);
  const auto both = negotiate(Declared{"result-ack/1", "script-dispatch/1"}, both_announced);
  CHECK((both.script_dispatch && both.result_ack && both.ignored.empty()));
}

TEST_CASE("an unknown major version or name is off and listed") {
  const auto name = GENERATE(values<std::string>(
      {"script-dispatch/2", "script-dispatch", "script-dispatch/", "script-dispatch/10",
       "script-dispatch/01", "Script-Dispatch/1", " script-dispatch/1", "time-travel/1", ""}));
  const auto negotiated = negotiate(Declared{name});
  CHECK_FALSE(negotiated.script_dispatch);
  CHECK(negotiated.ignored == Declared{name});
}

TEST_CASE("a core that offers two major versions gets the one we know") {
  const auto negotiated = negotiate(Declared{"script-dispatch/2", "script-dispatch/1"});
  CHECK(negotiated.script_dispatch);
  CHECK(negotiated.ignored == Declared{"script-dispatch/2"});
}

TEST_CASE("what we did not announce stays off") {
  constexpr std::array<std::string_view, 1> announced{"result-ack"};
  const auto negotiated = negotiate(Declared{"script-dispatch/1", "result-ack/1"}, announced);
  CHECK_FALSE(negotiated.script_dispatch);
  CHECK(negotiated.result_ack);
}

TEST_CASE("who does not announce results with acknowledgement does without them") {
  constexpr std::array<std::string_view, 1> announced{"script-dispatch"};
  CHECK(negotiate(Declared{"result-ack/1"}).result_ack);
  const auto negotiated = negotiate(Declared{"result-ack/1"}, announced);
  CHECK_FALSE(negotiated.result_ack);
  CHECK(negotiated.ignored == Declared{"result-ack/1"});
}

TEST_CASE("a hostile declaration is fit for a log line") {
  CHECK(negotiate(Declared{"a\nb"}).ignored == Declared{"a?b"});
  CHECK(negotiate(Declared{std::string(9999, 'x')}).ignored.at(0).size() == 67);
}
