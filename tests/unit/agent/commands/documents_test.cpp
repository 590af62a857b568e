#include "agent/commands/command_description.hpp"
#include "agent/config/setting_table.hpp"
#include "deploy/documents/completions.hpp"
#include "deploy/documents/manual.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <memory>

using namespace satellite;
using namespace satellite::agent;
using satellite::tests::TempDir;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string output_of(const std::string& command) {
  const auto close = [](std::FILE* file) { ::pclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> pipe(::popen(command.c_str(), "r"), close);
  REQUIRE(pipe);
  std::array<char, 4096> part{};
  std::string text;
  while (const auto size = std::fread(part.data(), 1, part.size(), pipe.get())) {
    text.append(part.data(), size);
  }
  return text;
}

/// What bash offers for the last of these words.
std::string bash_offers(const std::string& program, const std::string& words) {
  const TempDir directory;
  const std::string script =
      program + "COMP_WORDS=(" + words +
      ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_checkstack_satellite\necho ${COMPREPLY[*]}\n";
  std::string text = output_of("cd / && bash " + directory.write("complete.sh", script) + " 2>&1");
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

TEST_CASE("commands describe themselves as the command line takes them") {
  const auto commands = describe_commands();
  const auto packages = std::find_if(commands.begin(), commands.end(),
                                     [](const auto& one) { return one.name == "packages"; });
  REQUIRE(packages != commands.end());
  REQUIRE(packages->arguments.size() == 1);
  CHECK(packages->arguments.front().choices == std::vector<std::string>{"list", "verify", "sync"});
  const auto option = [&](const std::string& name) {
    const auto found = std::find_if(packages->options.begin(), packages->options.end(),
                                    [&](const auto& one) { return one.name == name; });
    REQUIRE(found != packages->options.end());
    return *found;
  };
  CHECK_FALSE(option("--json").takes_value);
  CHECK(option("--ca-file").names_file);
  CHECK(option("--automation").choices == std::vector<std::string>{"true", "false"});
}

TEST_CASE("the manual pages name every setting, variable, option and command") {
  const std::string settings = documents::manual_of_settings("1.2.3");
  const std::string program = documents::manual_of_program(describe_commands(), "1.2.3");
  const auto in_manual = [](std::string_view word) {
    std::string escaped;
    for (const char c : word) escaped += c == '-' ? "\\-" : std::string(1, c);
    return escaped;
  };
  for (const Setting& setting : setting_table()) {
    CAPTURE(setting.key);
    CHECK(contains(settings, "\\fB" + in_manual(setting.key) + "\\fR"));
    CHECK(contains(settings, in_manual(setting.environment)));
    if (!setting.option.empty()) CHECK(contains(program, in_manual(setting.option)));
  }
  for (const auto& command : describe_commands()) {
    CHECK(contains(program, "\\fB" + in_manual(command.name) + "\\fR"));
  }
}

TEST_CASE("bash completes commands, verbs, options, values and paths") {
  const std::string program = documents::bash_completion(describe_commands());
  CHECK(bash_offers(program, "checkstack-satellite doc") == "doctor");
  CHECK(bash_offers(program, "checkstack-satellite packages v") == "verify");
  CHECK(bash_offers(program, "checkstack-satellite run --ca-") == "--ca-file --ca-directory");
  CHECK(bash_offers(program, "checkstack-satellite run --log-level d") == "debug");
  CHECK(bash_offers(program, "checkstack-satellite run --config /etc/host") != "");
  CHECK(bash_offers(program, "checkstack-satellite version --confi") == "");
}

TEST_CASE("zsh and fish are told every command and option") {
  const auto commands = describe_commands();
  const std::string zsh = documents::zsh_completion(commands);
  const std::string fish = documents::fish_completion(commands);
  for (const auto& command : commands) {
    CHECK(contains(zsh, "\n  " + command.name + ")\n"));
    CHECK(contains(fish, "-a " + command.name + " "));
    for (const auto& option : command.options) {
      CHECK(contains(zsh, "'" + option.name + "["));
      CHECK(contains(fish, "-l " + option.name.substr(2)));
    }
  }
}
