#include "sandbox/launcher/client/ending.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace satellite;
using namespace satellite::sandbox;

namespace {

KeptState kept_state(std::string not_kept = {}) {
  return {*make_state_file(""), std::move(not_kept), {}};
}

RunResult described(StateEnd end, Outcome outcome, const std::optional<KeptState>& state) {
  RunEnded ended{true};
  ended.state = end;
  ended.state_problem = end == StateEnd::refused ? "'x' is a socket" : "";
  RunResult result;
  result.outcome = outcome;
  describe_state(result, {1, ended}, state);
  return result;
}

std::string notes_of(const RunResult& result) {
  std::string text;
  for (const auto& note : result.sandbox.notes) text += note.note + "\n";
  return text;
}

}  // namespace

TEST_CASE("a state is kept if the script exited, whatever its code, and it could be packed") {
  const auto kept = described(StateEnd::packed, Outcome::exited, kept_state());
  CHECK(kept.has_new_state);
  CHECK(notes_of(kept).empty());
}

TEST_CASE("after any other end the earlier state stays, and the report says so") {
  const auto outcome = GENERATE(Outcome::signaled, Outcome::timed_out, Outcome::cancelled,
                                Outcome::output_limit, Outcome::memory_limit, Outcome::interrupted);
  const auto end = GENERATE(StateEnd::packed, StateEnd::left);
  const auto result = described(end, outcome, kept_state());
  CHECK_FALSE(result.has_new_state);
  CHECK(notes_of(result).find("the earlier one stays") != std::string::npos);
}

TEST_CASE("a kept state without a file, for lack of memory, says that nothing is kept") {
  const auto result = described(StateEnd::packed, Outcome::exited,
                                KeptState{nullptr, "there is no memory for it", {}});
  CHECK_FALSE(result.has_new_state);
  CHECK(notes_of(result).find("no memory") != std::string::npos);
}

TEST_CASE("a state that is refused says why, one that nobody keeps says that") {
  const auto refused = described(StateEnd::refused, Outcome::exited, kept_state());
  CHECK_FALSE(refused.has_new_state);
  CHECK(notes_of(refused).find("'x' is a socket") != std::string::npos);
  const auto ephemeral = described(StateEnd::packed, Outcome::exited, kept_state("--ephemeral"));
  CHECK_FALSE(ephemeral.has_new_state);
  CHECK(notes_of(ephemeral).find("--ephemeral") != std::string::npos);
  const auto nobodys = described(StateEnd::packed, Outcome::exited, std::nullopt);
  CHECK_FALSE(nobodys.has_new_state);
  CHECK_FALSE(notes_of(nobodys).empty());
}

TEST_CASE("a run that leaves nothing and had nothing says nothing of a state") {
  for (const auto& state : {std::optional<KeptState>(), std::optional(kept_state()),
                            std::optional(kept_state("--ephemeral"))}) {
    const auto result = described(StateEnd::none, Outcome::timed_out, state);
    CHECK_FALSE(result.has_new_state);
    CHECK(notes_of(result).empty());
  }
}

TEST_CASE("a script that began without what was kept says why") {
  RunEnded ended{true};
  ended.state_lost = "not a packed state";
  RunResult result;
  describe_state(result, {1, ended}, kept_state());
  CHECK(notes_of(result).find("not a packed state") != std::string::npos);
  auto damaged = kept_state();
  damaged.lost = "it is damaged";
  RunResult other;
  describe_state(other, {1, RunEnded{true}}, damaged);
  CHECK(notes_of(other).find("it is damaged") != std::string::npos);
}
