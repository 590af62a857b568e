#include "sandbox/planning/environment.hpp"

#include "sandbox/planning/shell_quote.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <memory>

using namespace satellite::sandbox;
using Words = std::vector<std::string>;

TEST_CASE("only the safe base of the agent's environment is passed on") {
  const auto base = safe_base({{"PATH", "/bin"},
                               {"HOME", "/h"},
                               {"CHECKSTACK_SATELLITE_TOKEN", "secret"},
                               {"AWS_SECRET_ACCESS_KEY", "secret"},
                               {"LD_PRELOAD", "/x"}});
  CHECK(base == std::map<std::string, std::string>{{"PATH", "/bin"}, {"HOME", "/h"}});
}

TEST_CASE("an override wins over the base, except for what is refused") {
  const auto environment = build_environment(
      {{"PATH", "/bin"}, {"LANG", "C"}},
      {{"PATH", "/evil"}, {"LANG", "de"}, {"A", "1"}, {"A", "2"}}, EnvironmentGuard::on);
  CHECK(environment.variables ==
        std::map<std::string, std::string>{{"PATH", "/bin"}, {"LANG", "de"}, {"A", "2"}});
  CHECK(environment.dropped == Words{"PATH"});
}

TEST_CASE("what makes a loader, a shell or an interpreter run foreign code is dropped and named") {
  const char* name = GENERATE(
      "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "LD_DEBUG", "LD_DEBUG_OUTPUT", "LD_BIND_NOW",
      "DYLD_INSERT_LIBRARIES", "NODE_OPTIONS", "NODE_PATH", "BUN_INSTALL", "BUN_CONFIG_REGISTRY",
      "BUN_OPTIONS", "BASH_ENV", "ENV", "BASH_FUNC_ls%%", "GLIBC_TUNABLES", "GCONV_PATH",
      "PYTHONPATH", "PYTHONSTARTUP", "PERL5OPT", "PERL5LIB", "RUBYOPT", "RUBYLIB");
  CAPTURE(name);
  const auto guarded = build_environment({}, {{name, "x"}}, EnvironmentGuard::on);
  CHECK(guarded.variables.empty());
  CHECK(guarded.dropped == Words{name});
  const auto open = build_environment({}, {{name, "x"}}, EnvironmentGuard::off);
  CHECK(open.variables.size() == 1);
  CHECK(open.dropped.empty());
}

TEST_CASE("names that only look alike are kept") {
  const char* name =
      GENERATE("ld_preload", "XLD_PRELOAD", "path", "Path", "BUN_CONFIG", "ENVIRONMENT",
               "bun_config_x", "PYTHON", "CHECKSTACK_ENV_ID", "é", "__proto__");
  CAPTURE(name);
  const auto environment = build_environment({}, {{name, "v"}}, EnvironmentGuard::on);
  CHECK(environment.variables.at(name) == "v");
}

TEST_CASE("names and values that no environment can hold are dropped under every guard") {
  const NamedValues overrides{{"", "v"},
                              {"A=B", "v"},
                              {std::string("A\0B", 3), "v"},
                              {"C", std::string("v\0LD_PRELOAD=x", 14)}};
  for (const auto guard : {EnvironmentGuard::on, EnvironmentGuard::off}) {
    const auto environment = build_environment({}, overrides, guard);
    CHECK(environment.variables.empty());
    CHECK(environment.dropped.size() == 4);
  }
}

namespace {

std::string printed_by_shell(const std::string& word) {
  const std::string command = "printf %s " + word;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"),
                                                             ::pclose);
  REQUIRE(pipe);
  std::string text;
  std::array<char, 256> piece{};
  while (const std::size_t count = std::fread(piece.data(), 1, piece.size(), pipe.get())) {
    text.append(piece.data(), count);
  }
  return text;
}

}  // namespace

TEST_CASE("a quoted word comes back from a real shell unchanged") {
  const std::string value = GENERATE(
      as<std::string>(), "/tmp/x.nft", "O'Brien", "''", "a b; rm -rf / $(whoami) `id`",
      "weird 'value' with $pace; and `ticks`", "\\", "line\nline", "\t*?[a]{b}~!#", "-n", "é日😀");
  CHECK(printed_by_shell(shell_quote(value)) == value);
}

TEST_CASE("an empty word is quoted too") {
  CHECK(shell_quote("") == "''");
}
