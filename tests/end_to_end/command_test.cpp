#include "tests/end_to_end/scene.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/sanitizer.hpp"

#include <sys/resource.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace satellite::tests;
using nlohmann::json;

namespace {

/// What `command` ends with and says, started under these limits of open files.
CommandResult with_open_files(rlim_t soft, rlim_t hard, const std::vector<std::string>& command,
                              const std::string& standard_input = {}) {
  const std::string answer = in_child([&] {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_max = std::min(files.rlim_max, hard);
    files.rlim_cur = std::min(files.rlim_max, soft);
    if (::setrlimit(RLIMIT_NOFILE, &files) != 0) return std::string("null");
    const auto result = run_satellite(command, shell_path, standard_input);
    return json{result.exit_code, result.standard_output, result.standard_error}.dump();
  });
  INFO(answer);
  const json parts = json::parse(answer);
  return {parts.at(0), parts.at(1), parts.at(2)};
}

}  // namespace

TEST_CASE("a low soft limit of open files is no hindrance and not the script's") {
  const TempDir files;
  const std::string file = files.write("check.sh", "ulimit -S -n");
  const std::string policy = files.write("policy.json", R"({"network":{"mode":"deny"}})");
  const auto low = with_open_files(20, RLIM_INFINITY, {"exec", file, "--policy", policy});
  INFO(low.standard_error);
  CHECK(low.exit_code == 0);
  CHECK(low.standard_output == "1024\n");
  // What the operator gave the satellite on purpose is the scripts', too; ours is higher.
  const auto high = with_open_files(2'000, 4'000, {"exec", file, "--policy", policy});
  CHECK(high.standard_output == "2000\n");
  // The policy's number goes before both.
  const std::string named =
      files.write("named.json", R"({"resources":{"maxOpenFiles":77},"network":{"mode":"deny"}})");
  for (const rlim_t soft : {rlim_t{20}, rlim_t{2'000}}) {
    const auto ran = with_open_files(soft, RLIM_INFINITY, {"exec", file, "--policy", named});
    CHECK(ran.standard_output == "77\n");
  }
  CHECK(with_open_files(20, RLIM_INFINITY, {"doctor"}).exit_code == 0);
}

TEST_CASE("a hard limit of open files that is too low is named, with the remedy and exit code 2") {
  const TempDir files;
  const std::string file = files.write("check.sh", "echo ran");
  // With 8 descriptors UBSan has none left for the pipe by which it looks at an address before it
  // says whether an object is of its type, and then says that it is not.
  const std::vector<rlim_t> limits =
      has_sanitizer ? std::vector<rlim_t>{20} : std::vector<rlim_t>{20, 8};
  for (const rlim_t hard : limits) {
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"exec", file}, {"doctor"}, {"plan"}}) {
      const auto refused = with_open_files(hard, hard, command, "{}");
      INFO(command.front() << " with " << hard << ": " << refused.standard_error);
      CHECK(refused.exit_code == 2);
      CHECK(refused.standard_output.empty());
      CHECK(refused.standard_error.find("only " + std::to_string(hard) + " files") !=
            std::string::npos);
      CHECK(refused.standard_error.find("LimitNOFILE=") != std::string::npos);
    }
  }
}

TEST_CASE("exec runs a script here under the shipped policy and prints output and report") {
  const TempDir files;
  const std::string file = files.write("check.sh", "echo out; echo err >&2; exit 3");
  const auto text = run_satellite({"exec", file}, shell_path);
  CHECK(text.exit_code == 3);
  CHECK(text.standard_output == "out\n");
  CHECK(text.standard_error.find("err\n") != std::string::npos);
  CHECK(text.standard_error.find("network") != std::string::npos);

  const auto result = run_satellite({"exec", file, "--json"}, shell_path);
  const json answer = json::parse(result.standard_output);
  CHECK(answer.at("outcome") == "exited");
  CHECK(answer.at("exitCode") == 3);
  CHECK(answer.at("stdout") == "out\n");
  CHECK(answer.at("stderr") == "err\n");
  CHECK(answer.at("outputTruncated") == false);
  CHECK(answer.at("durationMs").is_number_integer());
  CHECK(answer.at("sandbox").at("engine") == "native");
}

TEST_CASE("exec gives arguments to a script, and to a program at its place") {
  const TempDir directory;
  const std::string file =
      directory.write("args.sh", "#!/bin/sh\nprintf '<%s>' \"$@\"; echo; df >/dev/null; exit 3\n");
  const auto script = run_satellite({"exec", file, "--", "-w", "10 %", "--json"}, shell_path);
  CHECK(script.standard_output == "<-w><10 %><--json>\n");
  CHECK(script.exit_code == 3);
  CHECK(script.standard_error.find("hint df: ") != std::string::npos);
  const auto program = run_satellite({"exec", "/usr/bin/printf", "--", "<%s>", "it's"}, shell_path);
  CHECK(program.standard_output == "<it's>");
  CHECK(program.standard_error.find("hint") == std::string::npos);
}

TEST_CASE("exec runs a script by its first line where the operator lets it") {
  const TempDir directory;
  const std::string file = directory.write(
      "first.sh", "#!/bin/bash -e\n[[ $1 == a* ]] && echo \"bash $#\"\nfalse\necho no\n");
  const auto honoured =
      run_satellite({"exec", file, "--honour-shebang", "true", "--", "ab", "c"}, shell_path);
  CHECK(honoured.standard_output == "bash 2\n");
  CHECK(honoured.exit_code == 1);
  CHECK(honoured.standard_error.find("hint") == std::string::npos);
  const auto plain = run_satellite({"exec", file, "--", "ab", "c"}, shell_path);
  const bool sh_is_bash = plain.standard_output.find("bash 2") != std::string::npos;
  if (!sh_is_bash) {
    CHECK(plain.standard_error.find("hint the first line asks for bash") != std::string::npos);
  }
}

TEST_CASE("exec --compare tells what a script sees otherwise, and which grant shows it") {
  const TempDir directory;
  char shown[] = "/var/tmp/satellite-test-XXXXXX";
  REQUIRE(::mkdtemp(shown) != nullptr);
  const std::string place = shown;
  std::filesystem::permissions(place, std::filesystem::perms(0755));
  std::ofstream(place + "/state") << "fine\n";
  const std::string file = directory.write(
      "check.sh", "cat " + place + "/state || exit 2; echo \"took $$ ms\"; echo end\n");
  const auto compared = run_satellite({"exec", "--compare", file}, shell_path);
  INFO(compared.standard_output << compared.standard_error);
  CHECK(compared.exit_code == 0);
  const std::string& text = compared.standard_output;
  CHECK(text.find("exit code 0 without a sandbox, 2 in the sandbox\n") != std::string::npos);
  CHECK(text.find("stdout - fine\n") != std::string::npos);
  CHECK(text.find("another answer in the sandbox\n") != std::string::npos);
  CHECK(text.find("the same answer but for numbers with the grants below\n") != std::string::npos);
  CHECK(text.find("[host_view]\npaths = [\"" + place + "/state\"]\n") != std::string::npos);
  const auto proposed = run_satellite({"exec", file, "--compare", "--grants"}, shell_path);
  CHECK(proposed.standard_output == "[host_view]\npaths = [\"" + place + "/state\"]\n");
  const std::string settings = directory.write("satellite.toml", proposed.standard_output);
  const auto granted = run_satellite({"exec", file, "--config", settings}, shell_path);
  CHECK(granted.exit_code == 0);
  CHECK(granted.standard_error.find("shown path " + place + "/state\n") != std::string::npos);
  const auto same = run_satellite({"exec", "--compare", file, "--config", settings}, shell_path);
  CHECK(same.exit_code == 0);
  std::filesystem::remove_all(place);
}

TEST_CASE(
    "exec --grants proposes disks to a script that asks for them, and a run then shows them") {
  const TempDir directory;
  const std::string file = directory.write("disk.sh", "df --output=fstype,itotal / | tail -n 1\n");
  const auto proposed = run_satellite({"exec", file, "--compare", "--grants"}, shell_path);
  CHECK(proposed.standard_output == "[host_view]\ndisks = true\n");
  const std::string settings = directory.write("satellite.toml", proposed.standard_output);
  const auto granted = run_satellite(
      {"exec", file, "--config", settings, "--scratch-directory", "/var/tmp"}, shell_path);
  INFO(granted.standard_error);
  CHECK(granted.exit_code == 0);
  CHECK(granted.standard_error.find("shown disk /\n") != std::string::npos);
  // The hint stays where this host has a disk that cannot be shown.
  const bool lacks_one = granted.standard_error.find("closed to scripts") != std::string::npos;
  CHECK((granted.standard_error.find("hint") != std::string::npos) == lacks_one);
}

TEST_CASE("exec takes the engine that sandbox.engines leaves, and an unknown one is wrong usage") {
  const TempDir files;
  const std::string file = files.write("check.sh", "echo out");
  const auto with_engines = [&](const char* engines) {
    auto environment = shell_path;
    environment["CHECKSTACK_SANDBOX_ENGINES"] = engines;
    return run_satellite({"exec", file, "--json"}, environment);
  };
  const auto wrong = with_engines("native,firejail");
  CHECK(wrong.exit_code == 2);
  CHECK(wrong.standard_error.find("sandbox.engines") != std::string::npos);
  CHECK(wrong.standard_error.find("firejail") != std::string::npos);
  if (!require_part("bubblewrap", !has_thread_sanitizer, "TSan breaks the child that starts it")) {
    return;
  }
  CHECK(json::parse(with_engines("bwrap").standard_output).at("sandbox").at("engine") == "bwrap");
  const json by_nsjail = json::parse(with_engines("nsjail").standard_output);
  const bool there = by_nsjail.at("outcome") == "exited";
  if (!require_part("nsjail", there, by_nsjail.value("error", ""))) return;
  CHECK(by_nsjail.at("stdout") == "out\n");
  CHECK(by_nsjail.at("sandbox").at("engine") == "nsjail");
}

TEST_CASE("exec takes a policy and refuses what nobody can enforce") {
  const TempDir files;
  const std::string file = files.write("check.sh", "echo ran");
  const std::string policy = files.write(
      "policy.json",
      R"({"onUnavailable":"fail","network":{"mode":"allowlist","allow":["10.0.0.1/8"]}})");
  const auto result = run_satellite({"exec", file, "--policy", policy, "--json"}, shell_path);
  const json answer = json::parse(result.standard_output);
  CHECK(result.exit_code == 125);
  CHECK(answer.at("outcome") == "refused");
  CHECK(answer.at("stdout") == "");
}

TEST_CASE("a wrong input of exec is named, with exit code 2") {
  const TempDir files;
  const std::string file = files.write("check.sh", "echo ran");
  const std::string bad = files.write("bad.json", "{\"enabled\":1}");
  for (const auto& [arguments, words] :
       std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"exec", "/nonexistent"}, "/nonexistent"},
           {{"exec", file, "--policy", "/nonexistent"}, "/nonexistent"},
           {{"exec", file, "--policy", bad}, "enabled"}}) {
    const auto result = run_satellite(arguments, shell_path);
    CHECK(result.exit_code == 2);
    CHECK(result.standard_error.find(words) != std::string::npos);
    CHECK(result.standard_output.empty());
  }
}

TEST_CASE("run names a missing or malformed setting, its source and the remedy, and exits with 2") {
  auto result = run_satellite({"run"}, shell_path);
  CHECK(result.exit_code == 2);
  CHECK(result.standard_error.find("CHECKSTACK_CORE_URL") != std::string::npos);

  auto environment = shell_path;
  environment["CHECKSTACK_CORE_URL"] = "http://core.example.org";
  environment["CHECKSTACK_SATELLITE_CLIENT_ID"] = "x";
  environment["CHECKSTACK_SATELLITE_TOKEN"] = "csat_x";
  result = run_satellite({"run"}, environment);
  CHECK(result.exit_code == 2);
  CHECK(result.standard_error.find("core") != std::string::npos);
  CHECK(result.standard_error.find("https") != std::string::npos);
  CHECK(result.standard_error.find("csat_x") == std::string::npos);
}

TEST_CASE("check-config prints every setting with its source and never the token") {
  auto environment = shell_path;
  environment["CHECKSTACK_CORE_URL"] = "https://core.example.org/";
  environment["CHECKSTACK_SATELLITE_CLIENT_ID"] = "satellite-1";
  environment["CHECKSTACK_SATELLITE_TOKEN"] = "csat_x";
  const auto result = run_satellite({"check-config", "--concurrency", "3"}, environment);
  CHECK(result.exit_code == 0);
  CHECK(result.standard_output.find("wss://core.example.org/api/ws/satellite") !=
        std::string::npos);
  CHECK(result.standard_output.find("option --concurrency") != std::string::npos);
  CHECK(result.standard_output.find("environment CHECKSTACK_SATELLITE_CLIENT_ID") !=
        std::string::npos);
  CHECK(result.standard_output.find("csat_x") == std::string::npos);
}

TEST_CASE("run and check-config refuse what run will need and cannot have, with exit code 2") {
  const TempDir files;
  const std::string not_a_certificate = files.write("ca.pem", "hello\n");
  auto environment = shell_path;
  environment["CHECKSTACK_CORE_URL"] = "https://localhost:1";
  environment["CHECKSTACK_SATELLITE_CLIENT_ID"] = "satellite-1";
  environment["CHECKSTACK_SATELLITE_TOKEN"] = "csat_x";
  struct Case {
    std::string variable, option, value, words;
  };
  auto test = GENERATE(Case{"", "--ca-file", "/nonexistent.pem", "tls.ca_file"},
                       Case{"", "--ca-file", "(directory)", "tls.ca_file"},
                       Case{"", "--ca-file", "(text)", "tls.ca_file"},
                       Case{"", "--scratch-directory", "/nonexistent/x", "scratch_directory"},
                       Case{"", "--scratch-directory", "(text)", "scratch_directory"},
                       Case{"", "--token-file", "/nonexistent/token", "token"},
                       Case{"CHECKSTACK_SATELLITE_TOKEN", "", "\"csat_x\"", "quotes"},
                       Case{"CHECKSTACK_SATELLITE_TOKEN", "", "", "token"},
                       Case{"CHECKSTACK_SATELLITE_CLIENT_ID", "", "satellite-1\r", "line break"},
                       Case{"CHECKSTACK_CORE_URL", "", "http://elsewhere", "core"});
  if (test.value == "(directory)") test.value = files.path().string();
  if (test.value == "(text)") test.value = not_a_certificate;
  if (!test.variable.empty()) environment[test.variable] = test.value;
  for (const std::string command : {"check-config", "run"}) {
    std::vector<std::string> arguments{command};
    if (!test.option.empty()) arguments.insert(arguments.end(), {test.option, test.value});
    const auto result = run_satellite(arguments, environment);
    INFO(command << ' ' << test.option << ' ' << test.value << ": " << result.standard_error);
    CHECK(result.exit_code == 2);
    CHECK(result.standard_error.find(test.words) != std::string::npos);
    CHECK(result.standard_error.find("csat_x") == std::string::npos);
  }
}

TEST_CASE("exec, plan and doctor follow a settings file, a wrong one is exit code 2") {
  const TempDir files;
  const std::string file = files.write("check.sh", "true");
  const std::string wrong = files.write("wrong.toml", "[sandbox]\nuid = 0\n");
  for (std::vector<std::string> arguments :
       {std::vector<std::string>{"exec", file}, {"plan"}, {"doctor"}, {"policy", "show"}}) {
    arguments.insert(arguments.end(), {"--config", wrong});
    const auto result = run_satellite(arguments, shell_path, "{}");
    CHECK(result.exit_code == 2);
    CHECK(result.standard_error.find("wrong.toml:2") != std::string::npos);
  }
}

TEST_CASE("a policy is checked and merged without the settings of the service") {
  const TempDir files;
  auto environment = shell_path;
  // As a settings file that this user cannot read: no setting that anybody could take.
  environment["CHECKSTACK_SANDBOX_UID"] = "65532";
  environment["CHECKSTACK_SATELLITE_CONCURRENCY"] = "many";
  CHECK(run_satellite({"policy", "check", "-"}, environment, "{}").exit_code == 0);
  CHECK(run_satellite({"policy", "merge", "-"}, environment, "{}").exit_code == 0);
  CHECK(run_satellite({"policy", "show"}, environment).exit_code == 0);
  CHECK(run_satellite({"policy", "show", "--effective"}, environment).exit_code == 2);
  CHECK(run_satellite({"policy", "show", "--concurrency", "1"}, environment).exit_code == 0);
  CHECK(run_satellite({"policy", "show", "--concurrency", "many"}, environment).exit_code == 2);
}

TEST_CASE("plan answers for this host and for any other") {
  auto result = run_satellite({"plan"}, shell_path, "{}");
  REQUIRE(result.exit_code == 0);
  json answer = json::parse(result.standard_output);
  CHECK(answer.at("decision") == "run");
  CHECK(answer.at("steps").at(0) == "engine: native");
  result = run_satellite({"plan"}, shell_path, R"({"caps":{"platform":"linux"}})");
  REQUIRE(result.exit_code == 0);
  answer = json::parse(result.standard_output);
  CHECK(answer.at("decision") == "refuse");
  result = run_satellite({"plan"}, shell_path, R"({"policy":{"enabled":1}})");
  CHECK(result.exit_code == 2);
}

TEST_CASE("policy shows, checks and merges") {
  auto result = run_satellite({"policy", "show"}, shell_path);
  CHECK(json::parse(result.standard_output).at("onUnavailable") == "fail");
  result = run_satellite({"policy", "check", "-"}, shell_path,
                         R"({"network":{"allow":["10.0.0.1/8"]}})");
  CHECK(result.exit_code == 2);
  CHECK(result.standard_error.find("10.0.0.1/8") != std::string::npos);
  result = run_satellite({"policy", "merge", "-"}, shell_path, R"({"network":{"mode":"deny"}})");
  const json merged = json::parse(result.standard_output);
  CHECK(merged.at("network").at("mode") == "deny");
  CHECK(merged.at("filesystem").at("mode") == "scratch-plus-ro");
}

TEST_CASE("doctor says what this host can do, in words and as JSON") {
  const auto text = run_satellite({"doctor"}, shell_path);
  CHECK(text.exit_code == 0);
  const auto result = run_satellite({"doctor", "--json"}, shell_path);
  const json answer = json::parse(result.standard_output);
  CHECK(answer.at("ready") == true);
  CHECK(answer.at("capabilities").size() >= 5);
}
