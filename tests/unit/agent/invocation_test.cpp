#include "agent/commands/invocation.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace satellite::agent;

namespace {

std::variant<Invocation, ParsedEarly> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "checkstack-satellite");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

}  // namespace

TEST_CASE("run takes every setting that has an option") {
  const auto parsed = parse({"run", "--core", "https://core", "--id", "x", "--concurrency", "3"});
  const auto& invocation = std::get<Invocation>(parsed);
  CHECK(invocation.command == Invocation::Command::run);
  CHECK(invocation.options.at("core") == "https://core");
  CHECK(invocation.options.at("dispatch.concurrency") == "3");
}

TEST_CASE("exec takes a file, a policy and the machine-readable form") {
  const auto parsed = parse({"exec", "check.sh", "--policy", "p.json", "--json"});
  const auto& invocation = std::get<Invocation>(parsed);
  CHECK(invocation.command == Invocation::Command::exec);
  CHECK(invocation.script_file == "check.sh");
  CHECK(invocation.policy_file == "p.json");
  CHECK(invocation.json);
}

TEST_CASE("help is success, a wrong command line is exit code 2") {
  CHECK(std::get<ParsedEarly>(parse({"--help"})).exit_code == 0);
  CHECK(std::get<ParsedEarly>(parse({})).exit_code == 2);
  CHECK(std::get<ParsedEarly>(parse({"fly"})).exit_code == 2);
  CHECK(std::get<ParsedEarly>(parse({"exec"})).exit_code == 2);
  CHECK(std::get<ParsedEarly>(parse({"run", "--token", "csat_x"})).exit_code == 2);
}
