// What the program answers about itself, to people and to machines.
#include "tests/end_to_end/any_authority.hpp"
#include "tests/support/satellite_process.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using namespace satellite::tests;
using nlohmann::json;

namespace {

std::map<std::string, std::string> with_core() {
  auto environment = shell_path;
  environment["CHECKSTACK_CORE_URL"] = "https://core.example.org";
  environment["CHECKSTACK_SATELLITE_CLIENT_ID"] = "satellite-1";
  environment["CHECKSTACK_SATELLITE_TOKEN"] = "csat_x";
  environment["CHECKSTACK_SATELLITE_CA_FILE"] = any_authority();
  return environment;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The exit code of a command of the shell, in which $1 is the program.
int shell_exit_code(const std::string& command) {
  const int status = std::system(("sh -c '" + command + "' sh " + satellite_program()).c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("the version is told to people and to machines, whichever way it is asked for") {
  const auto plain = run_satellite({"version"}, shell_path);
  CHECK(plain.exit_code == 0);
  CHECK(plain.standard_output.starts_with("checkstack-satellite "));
  CHECK(run_satellite({"--version"}, shell_path).standard_output == plain.standard_output);
  const auto answer = json::parse(run_satellite({"version", "--json"}, shell_path).standard_output);
  CHECK("checkstack-satellite " + answer.at("version").get<std::string>() + "\n" ==
        plain.standard_output);
}

TEST_CASE("help tells commands, exit codes, and of each option its kind, default and bounds") {
  const auto all = run_satellite({"help"}, shell_path);
  CHECK(all.exit_code == 0);
  CHECK(run_satellite({"--help"}, shell_path).standard_output == all.standard_output);
  for (const std::string part : {"check-config", "Exit codes", "124", "125", "128 + N"}) {
    INFO(part);
    CHECK(contains(all.standard_output, part));
  }
  const auto run = run_satellite({"help", "run"}, shell_path);
  CHECK(run.exit_code == 0);
  CHECK(run_satellite({"run", "--help"}, shell_path).standard_output == run.standard_output);
  for (const std::string part :
       {"--concurrency NUMBER=8", "(1 to 32)", "[CHECKSTACK_SATELLITE_CONCURRENCY]",
        "--delivery at-least-once|at-most-once=at-least-once", "--automation true|false=true",
        "--drain SECONDS=5", "--core URL", "--ca-file PATH",
        "--config PATH=/etc/checkstack-satellite/satellite.toml"}) {
    INFO(part);
    CHECK(contains(run.standard_output, part));
  }
  CHECK_FALSE(contains(run.standard_output, " TEXT:"));
}

TEST_CASE("check-config answers machines, also when the answer is no") {
  auto environment = with_core();
  environment["HTTPS_PROXY"] = "http://proxy:3128";
  environment["CHECKSTACK_SATELLITE_CONCURENCY"] = "1";
  const auto good = run_satellite({"check-config", "--json"}, environment);
  CHECK(good.exit_code == 0);
  const json answer = json::parse(good.standard_output);
  CHECK(answer.at("valid") == true);
  CHECK(answer.at("cores").at(0).at("proxy") == "http://proxy:3128");
  CHECK(answer.at("cores").at(0).at("why") == "environment HTTPS_PROXY");
  CHECK(answer.at("clientCertificate").is_null());
  CHECK(answer.at("warnings").size() == 1);
  CHECK(answer.at("settings").at(0).at("key") == "core");
  CHECK(answer.at("settings").at(0).at("source") == "environment CHECKSTACK_CORE_URL");
  CHECK_FALSE(contains(good.standard_output, "csat_x"));
  environment["CHECKSTACK_CORE_URL"] = "ftp://core";
  const auto bad = run_satellite({"check-config", "--json"}, environment);
  CHECK(bad.exit_code == 2);
  CHECK(json::parse(bad.standard_output).at("valid") == false);
  CHECK(contains(json::parse(bad.standard_output).at("problem"), "scheme"));
}

TEST_CASE("policy check answers machines with every problem") {
  const std::string wrong = R"({"network":{"allow":["10.0.0.1/8","x"]}})";
  const auto bad = run_satellite({"policy", "check", "-", "--json"}, shell_path, wrong);
  CHECK(bad.exit_code == 2);
  CHECK(json::parse(bad.standard_output).at("problems").size() == 2);
  const auto good = run_satellite({"policy", "check", "-", "--json"}, shell_path, "{}");
  CHECK(good.exit_code == 0);
  CHECK(json::parse(good.standard_output) == json{{"valid", true}, {"problems", json::array()}});
}

TEST_CASE(
    "what is wrong with a policy is told with its file, and what is no JSON by its encoding") {
  const TempDir directory;
  const auto checked = [&directory](const std::string& text) {
    const std::string file = directory.write("policy.json", text);
    const auto answer = run_satellite({"policy", "check", file}, shell_path);
    CHECK(answer.exit_code == 2);
    return answer.standard_error.substr(answer.standard_error.find("policy.json"));
  };
  CHECK(checked(R"({"enabled":"yes"})") ==
        "policy.json: invalid sandbox policy: enabled: \"yes\" is not true or false\n");
  CHECK(checked("// note\n{}") == "policy.json: not valid JSON at byte 1\n");
  CHECK(checked("\n ") == "policy.json is empty\n");
  CHECK(checked(std::string("\xff\xfe{\0}\0", 6)) == "policy.json is UTF-16; save it as UTF-8\n");
  const auto merged = run_satellite({"policy", "merge", "-"}, shell_path, "[]");
  CHECK(contains(merged.standard_error, "standard input: "));
}

TEST_CASE(
    "an answer that cannot be written is an error, one that nobody reads to its end is quiet") {
  const std::vector<std::string> commands{"version", "--help", "help run", "policy show",
                                          "version --json"};
  for (const std::string& command : commands) {
    INFO(command);
    CHECK(shell_exit_code("\"$1\" " + command + " >/dev/full 2>/dev/null") == 1);
    CHECK(shell_exit_code("\"$1\" " + command + " >/dev/null 2>/dev/null") == 0);
  }
  // The reader has gone before the first word; a slow one only makes this easier.
  const TempDir directory;
  const std::string said = (directory.path() / "said").string();
  shell_exit_code("{ sleep 0.3; \"$1\" help run 2>" + said + "; } | true");
  CHECK(std::filesystem::file_size(said) == 0);
  CHECK(shell_exit_code("\"$1\" version 2>&1 >/dev/full | grep -q \"cannot be written\"") == 0);
}

TEST_CASE(
    "nothing that is not a terminal gets colours, a terminal gets them unless NO_COLOR is set") {
  const auto plain = run_satellite({"doctor"}, shell_path);
  CHECK_FALSE(contains(plain.standard_output, "\x1b["));
  if (std::system("command -v script >/dev/null 2>&1") != 0) {
    WARN("script(1) is not here: what a terminal gets was not looked at");
    return;
  }
  const auto on_terminal = [](const std::string& variables) {
    const TempDir directory;
    const std::string file = (directory.path() / "out").string();
    const std::string command = variables + " script -qec \"" + satellite_program() +
                                " doctor\" /dev/null </dev/null >" + file + " 2>&1";
    static_cast<void>(std::system(command.c_str()));
    return std::system(("grep -q \"$(printf \"\\033\\\\[\")\" " + file).c_str()) == 0;
  };
  CHECK(on_terminal("env -u NO_COLOR TERM=xterm"));
  CHECK_FALSE(on_terminal("env NO_COLOR=1 TERM=xterm"));
  CHECK_FALSE(on_terminal("env -u NO_COLOR TERM=dumb"));
}
