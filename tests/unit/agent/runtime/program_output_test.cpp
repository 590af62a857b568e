#include "agent/runtime/program_output.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;
using namespace std::chrono_literals;

namespace {

ProgramQuestion shell(const std::string& command, std::chrono::milliseconds time = 60s) {
  return {{"sh", "-c", command},
          {"PATH=/usr/bin:/bin", "NAMED=value"},
          std::chrono::steady_clock::now() + time,
          ByteCount{1'000}};
}

}  // namespace

TEST_CASE("a program is asked with the words and variables it is given and no others") {
  ::setenv("SATELLITE_TEST_SECRET", "geheim", 1);
  const auto answer = ask_program(shell("echo $NAMED; echo lost >&2; env"));
  ::unsetenv("SATELLITE_TEST_SECRET");
  REQUIRE(answer);
  CHECK(answer->ended_well());
  CHECK(answer->output.starts_with("value\n"));
  CHECK(answer->output.find("geheim") == std::string::npos);
  CHECK(answer->output.find("lost") == std::string::npos);
}

TEST_CASE("a program that fails is an answer, one that is not there is an error") {
  const auto failed = ask_program(shell("echo half; exit 3"));
  REQUIRE(failed);
  CHECK_FALSE(failed->ended_well());
  CHECK(failed->output == "half\n");
  ProgramQuestion question = shell("");
  question.words.front() = "/nonexistent/program";
  const auto missing = ask_program(question);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ErrorCode::not_found);
}

TEST_CASE("what a program writes beyond the bound is dropped, and it comes to its end") {
  const auto answer = ask_program(shell("head -c 1000000 /dev/zero | tr '\\0' x"));
  REQUIRE(answer);
  CHECK(answer->ended_well());
  CHECK(answer->output == std::string(1'000, 'x'));
}

TEST_CASE("a program that does not end is killed at the deadline") {
  const auto answer = ask_program(shell("sleep 600", 200ms));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ErrorCode::timed_out);
}
