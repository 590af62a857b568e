#include "agent/config/load_config.hpp"
#include "agent/config/sandbox_settings.hpp"
#include "agent/config/setting_table.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/agent/config/config_fixture.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;

TEST_CASE("the operator's word is strict where nobody says otherwise") {
  ConfigSources sources = minimal();
  sources.own_uid = 0;
  auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  const sandbox::OperatorsWord& word = loaded->config.operators_word;
  CHECK(word.supervisor_is_root);
  CHECK_FALSE(word.may_be_root());
  CHECK_FALSE(word.may_be_unconfined());
  CHECK(word.policy_ids.empty());
  CHECK_FALSE(word.ceiling);
  CHECK_FALSE(word.require_memory_limit);
  const std::vector<std::string> elsewhere{"100.100.100.200", "168.63.129.16", "192.0.0.192",
                                           "fd00:ec2::254"};
  CHECK(word.blocked_addresses == elsewhere);
  CHECK_FALSE(word.blocked_by_choice);
  CHECK(launcher_settings(loaded->config).root_scripts == sandbox::RootScripts::refused);
  sources.own_uid = 65532;
  loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  CHECK(loaded->config.operators_word.may_be_unconfined());
}

TEST_CASE("every setting of the operator comes from the file, the environment and an option") {
  const TempDir directory;
  const std::string ceiling = directory.write("ceiling.json", R"({"resources":{"cpuSeconds":60}})");
  ::chmod(ceiling.c_str(), 0644);
  ConfigSources from_file = minimal(), from_environment = minimal(), from_options = minimal();
  std::string text = "[operator]\n";
  const std::map<std::string, std::string> values{{"operator.health_checks", "false"},
                                                  {"operator.automation", "false"},
                                                  {"operator.timeout_max", "60"},
                                                  {"operator.allow_root_scripts", "true"},
                                                  {"operator.allow_unconfined", "true"},
                                                  {"operator.policy_ids", "1001, 2000:16"},
                                                  {"operator.ceiling", ceiling},
                                                  {"operator.require_memory_limit", "true"},
                                                  {"operator.blocked_addresses", "192.0.2.1"}};
  for (const Setting& setting : setting_table()) {
    if (setting.key.substr(0, 9) != "operator.") continue;
    const std::string& value = values.at(std::string(setting.key));
    text += std::string(setting.key.substr(9)) + " = \"" + value + "\"\n";
    REQUIRE_FALSE(setting.environment.empty());
    REQUIRE_FALSE(setting.option.empty());
    from_environment.environment[std::string(setting.environment)] = value;
    from_options.options[std::string(setting.key)] = value;
  }
  from_file.file = directory.write("s.toml", text);
  for (const ConfigSources& sources : {from_file, from_environment, from_options}) {
    const auto loaded = load_config(sources, SettingsUse::connects);
    if (!loaded) FAIL(loaded.error().message);
    const Config& config = loaded->config;
    CHECK_FALSE(config.allow_health_checks);
    CHECK_FALSE(config.allow_automation);
    CHECK(config.script_timeout_max == std::chrono::seconds(60));
    CHECK(config.operators_word.allow_root_scripts);
    CHECK(config.operators_word.allow_unconfined == true);
    CHECK(config.operators_word.policy_ids.size() == 2);
    REQUIRE(config.operators_word.ceiling);
    CHECK(config.operators_word.ceiling->resources.cpu_seconds == 60U);
    CHECK(config.operators_word.require_memory_limit);
    CHECK(config.operators_word.blocked_addresses == std::vector<std::string>{"192.0.2.1"});
    CHECK(config.operators_word.blocked_by_choice);
    CHECK(launcher_settings(config).root_scripts == sandbox::RootScripts::allowed);
  }
}

TEST_CASE("a key of an earlier version is refused with its new name") {
  const auto [old, now] =
      GENERATE(table<std::string, std::string>({{"health_checks = false", "operator.health_checks"},
                                                {"automation = false", "operator.automation"},
                                                {"timeout_max = 60", "operator.timeout_max"}}));
  const TempDir directory;
  ConfigSources sources = minimal();
  sources.file = directory.write("s.toml", "[dispatch]\n" + old + "\n");
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE_FALSE(loaded);
  CHECK(mentions(loaded.error(), "s.toml:2"));
  CHECK(mentions(loaded.error(), now));
}

TEST_CASE("what the operator mistyped is named, and never taken for a permission") {
  const TempDir directory;
  const std::string open = directory.write("open.json", "{}");
  ::chmod(open.c_str(), 0666);
  const std::string off = directory.write("off.json", R"({"enabled":false})");
  ::chmod(off.c_str(), 0644);
  const auto [key, text] =
      GENERATE_COPY(table<std::string, std::string>({{"operator.allow_root_scripts", "yes"},
                                                     {"operator.allow_unconfined", "maybe"},
                                                     {"operator.policy_ids", "0"},
                                                     {"operator.policy_ids", "www-data"},
                                                     {"operator.blocked_addresses", "192.0.2.1/24"},
                                                     {"operator.ceiling", "relative.json"},
                                                     {"operator.ceiling", "/nonexistent"},
                                                     {"operator.ceiling", "/dev/null"},
                                                     {"operator.ceiling", "/proc"},
                                                     {"operator.ceiling", open},
                                                     {"operator.ceiling", off}}));
  ConfigSources sources = minimal();
  sources.options[key] = text;
  INFO(key << " = " << text);
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE_FALSE(loaded);
  CHECK(mentions(loaded.error(), key + " (from option"));
}
