#include "agent/commands/invocation.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace satellite::agent;

namespace {

using Words = std::vector<const char*>;

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

TEST_CASE("what follows -- behind exec is the script's, whatever it looks like") {
  const auto parsed = parse({"exec", "check.sh", "--json", "--", "-w", "10%", "--json", "--", "x"});
  const auto& invocation = std::get<Invocation>(parsed);
  CHECK(invocation.json);
  CHECK(invocation.script_file == "check.sh");
  CHECK(invocation.script_arguments == std::vector<std::string>{"-w", "10%", "--json", "--", "x"});
  CHECK(std::get<ParsedEarly>(parse({"exec", "--", "check.sh"})).exit_code == 2);
  CHECK(std::get<ParsedEarly>(parse({"doctor", "--", "x"})).exit_code == 2);
}

TEST_CASE("help is success, a wrong command line is exit code 2") {
  CHECK(std::get<ParsedEarly>(parse({"--help"})).exit_code == 0);
  CHECK(std::get<ParsedEarly>(parse({})).exit_code == 2);
  CHECK(std::get<ParsedEarly>(parse({"fly"})).exit_code == 2);
  CHECK(std::get<ParsedEarly>(parse({"exec"})).exit_code == 2);
  CHECK(std::get<ParsedEarly>(parse({"run", "--token", "csat_x"})).exit_code == 2);
}

TEST_CASE("a token on the command line is refused with the remedy and never repeated") {
  const Words words = GENERATE(
      Words{"run", "--token", "csat_secret"}, Words{"run", "--token=csat_secret"},
      Words{"--token", "csat_secret", "run"}, Words{"check-config", "--token", "csat_secret"},
      Words{"exec", "x.sh", "--token", "csat_secret"}, Words{"run", "-token", "csat_secret"});
  const auto answer = std::get<ParsedEarly>(parse(words));
  CHECK(answer.exit_code == 2);
  CHECK(answer.text.find("csat_secret") == std::string::npos);
  CHECK(answer.text.find("--token-file") != std::string::npos);
}

TEST_CASE("what was typed beside the options is not repeated, the option is named") {
  const auto [words, named] =
      GENERATE(table<Words, std::string>({{{"run", "--secret", "csat_secret"}, "--secret"},
                                          {{"run", "--secret=csat_secret"}, "--secret"},
                                          {{"run", "csat_secret"}, "nothing expects"},
                                          {{"csat_secret"}, "nothing expects"},
                                          {{"run", "-scsat_secret"}, "-s"},
                                          {{"doctor", "--json=csat_secret"}, "doctor --help"},
                                          {{"rum"}, "no command 'rum'"}}));
  const auto answer = std::get<ParsedEarly>(parse(words));
  INFO(answer.text);
  CHECK(answer.exit_code == 2);
  CHECK(answer.text.find("csat_secret") == std::string::npos);
  CHECK(answer.text.find(named) != std::string::npos);
}

TEST_CASE("help and version are answered, a mistyped word is asked about") {
  const auto answered = [](const Words& words) { return std::get<ParsedEarly>(parse(words)); };
  CHECK(answered({"help"}).exit_code == 0);
  CHECK(answered({"help", "exec"}).text == answered({"exec", "--help"}).text);
  CHECK(answered({"--version"}).text.find("checkstack-satellite ") == 0);
  CHECK(answered({"help", "exce"}).text.find("did you mean 'exec'?") != std::string::npos);
  CHECK(answered({"exec", "x", "--polcy", "p"}).text.find("'--policy'") != std::string::npos);
  CHECK(answered({"run", "--core"}).text.find("--core needs one value") != std::string::npos);
  CHECK(answered({"exec", "x", "--grants"}).text.find("--compare") != std::string::npos);
}

TEST_CASE("exec, plan, doctor and policy take the settings that run takes") {
  const Words words =
      GENERATE(Words{"exec", "x.sh"}, Words{"plan"}, Words{"doctor"}, Words{"policy", "show"});
  auto all = words;
  all.insert(all.end(), {"--config", "s.toml", "--sandbox-uid", "1234", "--prepared-runs", "0"});
  const auto parsed = parse(all);
  REQUIRE(std::holds_alternative<Invocation>(parsed));
  const auto& invocation = std::get<Invocation>(parsed);
  CHECK(invocation.settings_file == "s.toml");
  CHECK(invocation.options.at("sandbox.uid") == "1234");
  CHECK(invocation.options.at("sandbox.prepared_runs") == "0");
}

TEST_CASE("the option --ephemeral is a word of its own and takes a value, too") {
  const auto given = [](const Words& words) {
    return std::get<Invocation>(parse(words)).options.at("state.ephemeral");
  };
  CHECK(given(Words{"run", "--ephemeral"}) == "true");
  CHECK(given(Words{"run", "--ephemeral", "--core", "https://core"}) == "true");
  CHECK(given(Words{"run", "--ephemeral=false"}) == "false");
}
