#include "agent/checks/inline_outcome.hpp"

#include "agent/packages/packages_of_run.hpp"
#include "sandbox/policy/policy_provider.hpp"

#include <catch2/catch.hpp>
#include <limits>

using namespace satellite;
using namespace satellite::agent;
using namespace std::chrono_literals;

namespace {

sandbox::RunResult answered(const std::string& result_json) {
  sandbox::RunResult run;
  run.outcome = sandbox::Outcome::exited;
  run.exit_code = 0;
  run.is_module = true;
  run.answer.emplace();
  run.answer->ok = true;
  run.answer->result_json = result_json;
  return run;
}

sandbox::RunResult ended(sandbox::Outcome outcome) {
  sandbox::RunResult run;
  run.outcome = outcome;
  run.is_module = true;
  return run;
}

struct Reported {
  bool success = false, timed_out = false;
  std::string message, error;
};

Reported reported(const sandbox::RunResult& run, const CollectedStreams& streams = {},
                  const RunCircumstances& circumstances = {}) {
  const auto end = inline_collector_outcome(run, streams, circumstances);
  REQUIRE(end);
  const auto& script = std::get<InlineScriptOutcome>(end->outcome);
  return {script.success, script.timed_out, script.message.value_or("-"), end->error.value_or("-")};
}

}  // namespace

TEST_CASE("what a script returns decides success, message and value") {
  struct Row {
    const char* returned;
    bool success;
    const char* message;
    double value;
  };
  constexpr double none = -1;
  const auto row = GENERATE(values<Row>({
      {"null", true, "-", none},
      {"true", true, "-", none},
      {"false", false, "-", none},
      {"42.5", true, "-", 42.5},
      {R"("said")", true, "said", none},
      {R"("")", true, "", none},
      {"[1,2]", true, "-", none},
      {"{}", true, "-", none},
      {R"({"success":false,"message":"m","value":7})", false, "m", 7},
      {R"({"success":"false","message":1,"value":"7"})", true, "-", none},
      {R"({"success":null,"message":null,"value":null})", true, "-", none},
      {R"({"message":"a\u0000b"})", true, "a\uFFFDb", none},
      {"1e400", true, "-", none},
      {"no json", true, "-", none},
  }));
  INFO(row.returned);
  const auto end = outcome_of_return(row.returned);
  CHECK(end.success == row.success);
  CHECK(end.message.value_or("-") == row.message);
  if (std::string(row.returned) != "1e400") CHECK(end.value.value_or(none) == row.value);
}

TEST_CASE("an inline script that fails without a word fails with a word") {
  CHECK(reported(answered("false")).error == "Check failed");
  CHECK(reported(answered(R"({"success":false,"message":"why"})")).error == "why");
  auto thrown = answered("null");
  thrown.answer->ok = false;
  CHECK(reported(thrown).error == "Check failed");
  CHECK_FALSE(reported(thrown).success);
  thrown.answer->error = "it broke";
  CHECK(reported(thrown).error == "it broke");
  CHECK(reported(thrown).message == "it broke");
}

TEST_CASE("what a script printed is its message where it returned none") {
  const CollectedStreams streams{"printed\n", "complained\n", false};
  CHECK(reported(answered("1"), streams).message == "printed");
  CHECK(reported(answered(R"("said")"), streams).message == "said");
  CHECK(reported(answered("1"), {"\n", "", false}).message == "-");
}

TEST_CASE("a script without an answer reports how it ended") {
  using sandbox::Outcome;
  const CollectedStreams complaint{"", "Segfault\n", false};
  CHECK(reported(ended(Outcome::exited)).error == "Script exited without producing a result");
  CHECK(reported(ended(Outcome::exited), complaint).error == "Segfault");
  CHECK(reported(ended(Outcome::signaled), complaint).error == "Segfault");
  const auto timed_out = reported(ended(Outcome::timed_out), complaint);
  CHECK(timed_out.error == "Script execution timed out");
  CHECK(timed_out.timed_out);
  CHECK(reported(ended(Outcome::memory_limit)).error ==
        "Script exceeded the memory limit of its sandbox policy");
  auto refused = ended(Outcome::refused);
  refused.error = "sandbox unavailable: network";
  CHECK(reported(refused).error == "sandbox unavailable: network");
}

TEST_CASE("an answer counts whatever became of the process, but not of a check that was stopped") {
  auto run = answered("true");
  run.outcome = sandbox::Outcome::timed_out;
  CHECK(reported(run).success);
  CHECK_FALSE(reported(run).timed_out);
  run.outcome = sandbox::Outcome::cancelled;
  CHECK_FALSE(inline_collector_outcome(run, {}, {}));
  const auto late = reported(run, {}, {1ms, false, true});
  CHECK_FALSE(late.success);
  CHECK(late.timed_out);
}

TEST_CASE("without a policy an inline script that succeeds is unhealthy, and the reason is told") {
  const auto end = reported(answered("true"), {}, {1ms, true, false});
  CHECK_FALSE(end.success);
  CHECK(end.error == sandbox::fail_closed_reason);
}

TEST_CASE("a script whose packages are not there reports that, with the reason") {
  const Error error{ErrorCode::unavailable, "Script packages are not ready: expected abc"};
  const auto run = result_without_packages(error, sandbox::shipped_default_policy());
  const auto end = reported(run);
  CHECK(end.error == error.message);
  CHECK(end.message == error.message);
  CHECK_FALSE(end.success);
  CHECK_FALSE(end.timed_out);
}
