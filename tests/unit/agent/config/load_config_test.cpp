#include "agent/config/load_config.hpp"

#include "agent/config/setting_table.hpp"
#include "agent/config/token_watch.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/agent/config/config_fixture.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;

TEST_CASE("the three variables of the existing satellite are enough") {
  const auto loaded = load_config(minimal(), SettingsUse::connects);
  REQUIRE(loaded);
  CHECK(loaded->config.core_url == "https://core.example");
  CHECK(loaded->config.client_id == "client");
  CHECK(loaded->config.token.reveal() == "csat_abc");
  CHECK(loaded->config.sandbox_uid == 65532);
  CHECK(loaded->config.sandbox_gid == 65532);
}

TEST_CASE("options outrank the environment, which outranks the file, which outranks defaults") {
  const TempDir directory;
  ConfigSources sources = minimal();
  sources.file =
      directory.write("s.toml", "core = \"https://file\"\n[dispatch]\nconcurrency = 3\n");
  auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  CHECK(loaded->config.core_url == "https://core.example");
  CHECK(loaded->config.concurrency == 3);
  sources.environment["CHECKSTACK_SATELLITE_CONCURRENCY"] = "5";
  sources.options["core"] = "https://option";
  loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  CHECK(loaded->config.core_url == "https://option");
  CHECK(loaded->config.concurrency == 5);
}

TEST_CASE("how long first runs are spread over is the operator's word, within bounds") {
  ConfigSources sources = minimal();
  auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  CHECK(loaded->config.check_first_run_within == std::chrono::seconds(30));
  sources.options["checks.first_run_within"] = "3600";
  loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  CHECK(loaded->config.check_first_run_within == std::chrono::hours(1));
  // 0 would let a core that changes its mind all the time make us run all the time.
  sources.options["checks.first_run_within"] = GENERATE("0", "3601", "soon");
  CHECK_FALSE(load_config(sources, SettingsUse::connects));
}

TEST_CASE("a missing setting is named with every way to set it") {
  const auto [variable, key] = GENERATE(table<std::string, std::string>(
      {{"CHECKSTACK_CORE_URL", "core"}, {"CHECKSTACK_SATELLITE_CLIENT_ID", "id"}}));
  ConfigSources sources = minimal();
  sources.environment[variable] = "";
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE_FALSE(loaded);
  CHECK(mentions(loaded.error(), key + ": not set"));
  CHECK(mentions(loaded.error(), variable));
  CHECK(mentions(loaded.error(), "--" + key));
}

TEST_CASE("a command that connects to nobody needs neither core nor id nor token") {
  ConfigSources sources;
  CHECK_FALSE(load_config(sources, SettingsUse::connects));
  CHECK(load_config(sources, SettingsUse::local));
  sources.options["token_file"] = "/nonexistent";
  CHECK(load_config(sources, SettingsUse::local));
  sources.options["sandbox.uid"] = "0";
  CHECK_FALSE(load_config(sources, SettingsUse::local));
}

TEST_CASE("an id that was damaged on its way here is refused with the reason") {
  const auto [id, problem] = GENERATE(table<std::string, std::string>({{"\"abc\"", "quotes"},
                                                                       {"'abc'", "quotes"},
                                                                       {"abc\r", "line break"},
                                                                       {"abc\n", "line break"},
                                                                       {" abc", "white space"},
                                                                       {"a\x1b[2J", "control"}}));
  ConfigSources sources = minimal();
  sources.environment["CHECKSTACK_SATELLITE_CLIENT_ID"] = id;
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE_FALSE(loaded);
  CHECK(mentions(loaded.error(), "id (from environment CHECKSTACK_SATELLITE_CLIENT_ID)"));
  CHECK(mentions(loaded.error(), problem));
}

TEST_CASE("a settings file that is no file, or that others may change, is refused") {
  const TempDir directory;
  ConfigSources sources = minimal();
  sources.file = directory.path().string();
  CHECK(mentions(load_config(sources, SettingsUse::connects).error(), "is a directory"));
  sources.file = directory.write("s.toml", "core = \"https://file\"\n");
  CHECK(load_config(sources, SettingsUse::connects));
  ::chmod(sources.file->c_str(), 0666);
  CHECK(mentions(load_config(sources, SettingsUse::connects).error(),
                 ::geteuid() == 0 ? "chmod go-w" : "chmod o-w"));
}

TEST_CASE("a root satellite takes its settings from nobody but root") {
  const TempDir directory;
  ConfigSources sources = minimal();
  sources.file = directory.write("s.toml", "core = \"https://file\"\n");
  ::chmod(sources.file->c_str(), 0664);
  sources.own_uid = 65'531;
  CHECK(load_config(sources, SettingsUse::connects));
  sources.own_uid = 0;
  CHECK(mentions(load_config(sources, SettingsUse::connects).error(), "chown root"));
  ::chmod(sources.file->c_str(), 0644);
  // Who is not root cannot make a file of root's, and its own is what must be refused.
  const bool is_roots = ::geteuid() == 0;
  CHECK(load_config(sources, SettingsUse::connects).has_value() == is_roots);
  if (!is_roots) return;
  REQUIRE(::chown(sources.file->c_str(), 65'531, 0) == 0);
  CHECK(mentions(load_config(sources, SettingsUse::connects).error(), "chown root"));
}

TEST_CASE("the encodings of a settings file: UTF-8 with or without its mark, nothing else") {
  const TempDir directory;
  ConfigSources sources = minimal();
  const std::string plain =
      "core = \"https://file\"\n# K\xc3\xbc"
      "che\n";
  for (const std::string& good :
       {plain, "\xef\xbb\xbf" + plain, std::string("core = \"https://file\"\r\n# x\r\n")}) {
    sources.file = directory.write("s.toml", good);
    CHECK(load_config(sources, SettingsUse::connects));
  }
  const std::string utf16(
      "\xff\xfe"
      "c\0o\0",
      6);
  for (const std::string& bad : {utf16,
                                 plain + "# K\xfc"
                                         "che\n",
                                 utf16.substr(2),
                                 // Overlong, a surrogate, above U+10FFFF: within a string, where
                                 // the library would look for the place.
                                 plain + "id = ['\xc0\x91']\n", plain + "id = '\xed\xa0\x80'\n",
                                 plain + "id = \"\xf4\x90\x80\x80\"\n"}) {
    sources.file = directory.write("s.toml", bad);
    const auto loaded = load_config(sources, SettingsUse::connects);
    REQUIRE_FALSE(loaded);
    CHECK(mentions(loaded.error(), "not UTF-8"));
  }
}

TEST_CASE("a binary number that is too long for the library is named, a short one is a number") {
  const TempDir directory;
  ConfigSources sources = minimal();
  sources.file = directory.write("s.toml", "[dispatch]\nconcurrency = 0b1_1\n");
  const auto short_one = load_config(sources, SettingsUse::connects);
  REQUIRE(short_one);
  CHECK(short_one->config.concurrency == 3);
  sources.file =
      directory.write("s.toml", "[dispatch]\nconcurrency = 0b" + std::string(63, '0') + "\n");
  const auto long_one = load_config(sources, SettingsUse::connects);
  REQUIRE_FALSE(long_one);
  CHECK(mentions(long_one.error(), "s.toml:2"));
  CHECK(mentions(long_one.error(), "decimal"));
}

TEST_CASE("what is wrong with a setting is told in one line, whatever it holds") {
  int refused = 0;
  for (const Setting& setting : setting_table()) {
    for (const std::string wrong : {"a\nb\x1b[2J\x7f", "\r\n", ",\n,"}) {
      ConfigSources sources = minimal();
      sources.options[std::string(setting.key)] = wrong;
      const auto loaded = load_config(sources, SettingsUse::connects);
      INFO(setting.key);
      if (loaded) continue;
      ++refused;
      const std::string& message = loaded.error().message;
      CHECK(std::none_of(message.begin(), message.end(),
                         [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }));
    }
  }
  CHECK(refused > 100);
}

TEST_CASE("a missing token is named with its three sources, and only where one is needed") {
  ConfigSources sources = minimal();
  sources.environment.erase("CHECKSTACK_SATELLITE_TOKEN");
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE_FALSE(loaded);
  CHECK(mentions(loaded.error(), "token_file"));
  CHECK(mentions(loaded.error(), "CHECKSTACK_SATELLITE_TOKEN"));
  CHECK(mentions(loaded.error(), "CREDENTIALS_DIRECTORY"));
  CHECK(load_config(sources, SettingsUse::local));
}

TEST_CASE("a malformed setting is named with its source and what it should be") {
  const auto [key, text] =
      GENERATE(table<std::string, std::string>({{"sandbox.uid", "-1"},
                                                {"sandbox.uid", "0"},
                                                {"sandbox.uid", "4294967295"},
                                                {"sandbox.gid", "x"},
                                                {"dispatch.concurrency", "0"},
                                                {"dispatch.concurrency", "33"},
                                                {"dispatch.concurrency", "8 "},
                                                {"dispatch.concurrency", "99999999999999999999"},
                                                {"dispatch.queue_length", "-1"},
                                                {"operator.timeout_max", "3601"},
                                                {"operator.automation", "yes"},
                                                {"log.level", "loud"},
                                                {"sandbox.scratch_directory", "relative"}}));
  ConfigSources sources = minimal();
  sources.options[key] = text;
  const auto loaded = load_config(sources, SettingsUse::connects);
  INFO(key << " = " << text);
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == ErrorCode::invalid_input);
  CHECK(mentions(loaded.error(), key + " (from option"));
}

TEST_CASE("a range of user ids is taken from every source") {
  const TempDir directory;
  ConfigSources sources = minimal();
  CHECK_FALSE(load_config(sources, SettingsUse::connects)->config.sandbox_uid_range);
  sources.file = directory.write("s.toml", "[sandbox]\nuid_range = \"200000:16\"\n");
  auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  CHECK(loaded->config.sandbox_uid_range == sandbox::IdentityRange{200'000, 16});
  sources.environment["CHECKSTACK_SANDBOX_UID_RANGE"] = "300000:17";
  CHECK(load_config(sources, SettingsUse::connects)->config.sandbox_uid_range->first == 300'000);
  sources.options["sandbox.uid_range"] = "400000:18";
  loaded = load_config(sources, SettingsUse::connects);
  CHECK(loaded->config.sandbox_uid_range == sandbox::IdentityRange{400'000, 18});
  const auto shown = std::find_if(loaded->settings.begin(), loaded->settings.end(),
                                  [](const auto& one) { return one.key == "sandbox.uid_range"; });
  REQUIRE(shown != loaded->settings.end());
  CHECK(shown->value == "400000:18");
  CHECK(shown->source == "option --sandbox-uid-range");
}

TEST_CASE("a range that holds somebody, or too few, is refused with source and remedy") {
  const auto [text, problem] = GENERATE(
      table<std::string, std::string>({{"0:64", "root"},
                                       {"1000:64", "the satellite's own user id"},
                                       {"1063:16", "the satellite's own user id"},
                                       {"1048:16", "the satellite's own user id"},
                                       {"65500:64", "65532"},
                                       {"200000:15", "dispatch.concurrency and checks.concurrency"},
                                       {"4294967290:16", "the largest user id"},
                                       {"200000:0", "from 1 to 65536"},
                                       {"200000:65537", "from 1 to 65536"},
                                       {"200000", "BASE:COUNT"},
                                       {"200000-64", "BASE:COUNT"},
                                       {"-5:64", "BASE:COUNT"},
                                       {":", "BASE:COUNT"},
                                       {"99999999999999999999:64", "BASE:COUNT"}}));
  ConfigSources sources = minimal();
  sources.own_uid = 1'063;
  sources.options["sandbox.uid_range"] = text;
  INFO(text);
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == ErrorCode::invalid_input);
  CHECK(mentions(loaded.error(), "sandbox.uid_range (from option --sandbox-uid-range)"));
  CHECK(mentions(loaded.error(), problem));
}

TEST_CASE("a range holds two ids for each script where scripts are to see the host's processes") {
  ConfigSources sources = minimal();
  sources.options["sandbox.uid_range"] = "200000:31";
  CHECK(load_config(sources, SettingsUse::connects));
  sources.options["host_view.processes"] = "true";
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE_FALSE(loaded);
  CHECK(mentions(loaded.error(), "two for each of the 16 scripts"));
  CHECK(mentions(loaded.error(), "host_view.processes"));
  sources.options["sandbox.uid_range"] = "200000:32";
  CHECK(load_config(sources, SettingsUse::connects));
}

TEST_CASE("one user for all runs and a user for each contradict each other") {
  const std::string other = GENERATE("sandbox.uid", "sandbox.gid");
  ConfigSources sources = minimal();
  sources.options["sandbox.uid_range"] = "200000:64";
  REQUIRE(load_config(sources, SettingsUse::connects));
  sources.options[other] = "1001";
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE_FALSE(loaded);
  CHECK(mentions(loaded.error(), other + " (from option"));
  CHECK(mentions(loaded.error(), "leave one of the two out"));
}

TEST_CASE("an unknown key is refused, with the near one suggested") {
  const TempDir directory;
  ConfigSources sources = minimal();
  sources.file = directory.write("s.toml", "[dispatch]\nconcurency = 3\n");
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE_FALSE(loaded);
  CHECK(mentions(loaded.error(), "s.toml:2"));
  CHECK(mentions(loaded.error(), "dispatch.concurrency"));
}

TEST_CASE("a token in the settings file is refused and not repeated") {
  const TempDir directory;
  ConfigSources sources = minimal();
  sources.file = directory.write("s.toml", "token = \"csat_secret\"\n");
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE_FALSE(loaded);
  CHECK(mentions(loaded.error(), "token_file"));
  CHECK_FALSE(mentions(loaded.error(), "csat_secret"));
}

TEST_CASE("a token file outranks the variable and is read without its line end") {
  const TempDir directory;
  ConfigSources sources = minimal();
  const std::string end = GENERATE(as<std::string>(), "", "\n", "\r\n");
  const std::string path = directory.write("token", "csat_file" + end);
  ::chmod(path.c_str(), 0600);
  sources.options["token_file"] = path;
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  CHECK(loaded->config.token.reveal() == "csat_file");
}

TEST_CASE("the service manager's credential is found") {
  const TempDir directory;
  ConfigSources sources = minimal();
  sources.environment.erase("CHECKSTACK_SATELLITE_TOKEN");
  sources.environment["CREDENTIALS_DIRECTORY"] = directory.path().string();
  ::chmod(directory.write("token", "csat_credential").c_str(), 0400);
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  CHECK(loaded->config.token.reveal() == "csat_credential");
}

TEST_CASE("a token file others can read, or that is no token, is refused without showing it") {
  const TempDir directory;
  struct Case {
    const char* content;
    mode_t mode;
    ErrorCode code;
  };
  const auto test = GENERATE(Case{"csat_open", 0644, ErrorCode::not_permitted},
                             Case{"csat_open", 0620, ErrorCode::not_permitted},
                             Case{"", 0600, ErrorCode::invalid_input},
                             Case{"two words", 0600, ErrorCode::invalid_input},
                             Case{"\"csat_quoted\"", 0600, ErrorCode::invalid_input},
                             Case{"\xef\xbb\xbf"
                                  "csat_marked",
                                  0600, ErrorCode::invalid_input},
                             Case{"b\x01n", 0600, ErrorCode::invalid_input});
  ConfigSources sources = minimal();
  const std::string path = directory.write("token", test.content);
  ::chmod(path.c_str(), test.mode);
  sources.options["token_file"] = path;
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == test.code);
  CHECK(mentions(loaded.error(), path));
  CHECK_FALSE(mentions(loaded.error(), "csat_open"));
}

TEST_CASE("an endless or oversized token file is refused") {
  ConfigSources sources = minimal();
  sources.options["token_file"] = "/dev/zero";
  CHECK_FALSE(load_config(sources, SettingsUse::connects));
  const TempDir directory;
  const std::string path = directory.write("token", std::string(10'000, 'a'));
  ::chmod(path.c_str(), 0600);
  sources.options["token_file"] = path;
  CHECK_FALSE(load_config(sources, SettingsUse::connects));
}

TEST_CASE("DEBUG turns on debug lines unless a level was set") {
  ConfigSources sources = minimal();
  sources.environment["DEBUG"] = "1";
  CHECK(load_config(sources, SettingsUse::connects)->config.log_level == LogLevel::debug);
  sources.options["log.level"] = "warn";
  CHECK(load_config(sources, SettingsUse::connects)->config.log_level == LogLevel::warn);
}

TEST_CASE("the settings shown never hold the token") {
  const auto loaded = load_config(minimal(), SettingsUse::connects);
  REQUIRE(loaded);
  bool token_shown = false;
  for (const EffectiveSetting& setting : loaded->settings) {
    CHECK(setting.value.find("csat_abc") == std::string::npos);
    if (setting.key == "token") token_shown = true;
  }
  CHECK(token_shown);
}

TEST_CASE("the environment's token is moved out of it, and found where it was moved to") {
  ::setenv("CHECKSTACK_SATELLITE_TOKEN", "csat_environment", 1);
  const char* const place = ::getenv("CHECKSTACK_SATELLITE_TOKEN");
  ConfigSources sources = minimal();
  sources.environment.erase("CHECKSTACK_SATELLITE_TOKEN");
  sources.token = EnvironmentToken::take();
  REQUIRE(sources.token);
  CHECK(place[0] == '\0');
  CHECK(take_environment().count("CHECKSTACK_SATELLITE_TOKEN") == 0);
  auto loaded = load_config(sources, SettingsUse::connects_later);
  REQUIRE(loaded);
  CHECK(loaded->config.token.empty());
  CHECK(read_token(loaded->token_source)->value.reveal() == "csat_environment");
  CHECK(load_config(sources, SettingsUse::connects)->config.token.reveal() == "csat_environment");
}

TEST_CASE("a changed token file is read again, once per change, and a broken one leaves the old") {
  const TempDir directory;
  const auto put = [&](const std::string& text) {
    const std::string next = directory.write("next", text);
    ::chmod(next.c_str(), 0600);
    REQUIRE(std::rename(next.c_str(), (directory.path() / "token").c_str()) == 0);
  };
  put("csat_first");
  TokenSource source;
  source.file = (directory.path() / "token").string();
  source.setting = "token_file";
  TokenWatch watch({source.file, source.setting, nullptr, Secret()},
                   read_token(source)->value.duplicate());
  CHECK(watch.refresh().value() == false);
  put("csat_second");
  CHECK(watch.refresh().value() == true);
  CHECK(watch.token().reveal() == "csat_second");
  CHECK(watch.refresh().value() == false);
  put("two words");
  CHECK(watch.refresh().error().code == ErrorCode::invalid_input);
  CHECK(watch.refresh().value() == false);
  CHECK(watch.token().reveal() == "csat_second");
  put("csat_second\n");
  CHECK(watch.refresh().value() == false);
}

TEST_CASE("a token file that cannot be read for a moment is read again, and told once") {
  const TempDir directory;
  TokenSource source;
  source.file = directory.write("token", "csat_new");
  source.setting = "token_file";
  ::chmod(source.file.c_str(), 0600);
  TokenWatch watch(std::move(source), Secret("csat_old"));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{0, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto told = watch.refresh();
  const auto again = watch.refresh();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(told.error().code == ErrorCode::limit_exceeded);
  CHECK(again.value() == false);
  CHECK(watch.refresh().value() == true);
  CHECK(watch.token().reveal() == "csat_new");
}

TEST_CASE("the macvlan uplink is a setting like others, and a mistake in it ends nothing") {
  ConfigSources sources = minimal();
  CHECK_FALSE(load_config(sources, SettingsUse::connects)->config.macvlan.settings);
  sources.environment["CHECKSTACK_SANDBOX_MACVLAN_IP"] = "198.51.100.7";
  sources.environment["CHECKSTACK_SANDBOX_MACVLAN_NM"] = "255.255.255.0";
  sources.environment["CHECKSTACK_SANDBOX_MACVLAN_IFACE"] = "up0";
  auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  CHECK_FALSE(loaded->config.macvlan.settings);
  CHECK(loaded->config.macvlan.problem.find("CHECKSTACK_SANDBOX_MACVLAN_GW") != std::string::npos);
  const TempDir directory;
  sources.file = directory.write("s.toml", "[sandbox]\nmacvlan_gateway = \"198.51.100.1\"\n");
  loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  REQUIRE(loaded->config.macvlan.settings);
  CHECK(loaded->config.macvlan.settings->interface == "up0");
  CHECK(loaded->config.macvlan.settings->text.gateway == "198.51.100.1");
}

TEST_CASE("the state directory is the operator's, else the service manager's, else the default") {
  ConfigSources sources = minimal();
  auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  CHECK(loaded->config.state_directory == "/var/lib/checkstack-satellite");
  CHECK_FALSE(loaded->config.ephemeral);
  CHECK(loaded->config.delivery == Delivery::at_least_once);
  CHECK(announced_by(loaded->config).back() == "result-ack");
  sources.environment["STATE_DIRECTORY"] = "/var/lib/one:/var/lib/two";
  CHECK(load_config(sources, SettingsUse::connects)->config.state_directory == "/var/lib/one");
  sources.options["state.directory"] = "/srv/state";
  sources.options["delivery"] = "at-most-once";
  sources.options["outbox.size_max"] = "2";
  loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  CHECK(loaded->config.state_directory == "/srv/state");
  CHECK(loaded->config.outbox_size_max == ByteCount{2U << 20U});
  CHECK(announced_by(loaded->config).back() != "result-ack");
}

TEST_CASE("a wrong setting of what is kept is named") {
  const auto [key, value] = GENERATE(table<std::string, std::string>({
      {"state.directory", "state"},
      {"delivery", "exactly-once"},
      {"outbox.size_max", "0"},
      {"outbox.count_max", "15"},
      {"outbox.age_max", "59"},
      {"state.ephemeral", "maybe"},
  }));
  ConfigSources sources = minimal();
  sources.options[key] = value;
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE_FALSE(loaded);
  CHECK(mentions(loaded.error(), key + " (from option"));
}

TEST_CASE("an offline cache needs a state directory") {
  auto sources = minimal();
  sources.environment["CHECKSTACK_SATELLITE_OFFLINE_CACHE"] = "true";
  sources.environment["CHECKSTACK_SATELLITE_MAX_POLICY_AGE"] = "3600";
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  CHECK(loaded->config.offline_cache);
  CHECK(loaded->config.policy_age_max == std::chrono::hours(1));
  sources.environment["CHECKSTACK_SATELLITE_EPHEMERAL"] = "true";
  const auto refused = load_config(sources, SettingsUse::connects);
  REQUIRE_FALSE(refused);
  CHECK(mentions(refused.error(), "offline.cache"));
}

TEST_CASE("how a lost core is looked for is a setting, within bounds") {
  auto sources = minimal();
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  CHECK(loaded->config.reconnect_spread == std::chrono::seconds(5));
  CHECK(loaded->config.silence_max == std::chrono::seconds(45));
  CHECK(loaded->config.connect_deadline == std::chrono::seconds(30));
  CHECK(loaded->config.backoff_max == std::chrono::seconds(30));
  CHECK(loaded->config.core_order == CoreOrder::ordered);
  sources.environment["CHECKSTACK_SATELLITE_CORE_ORDER"] = "random";
  const auto refused = load_config(sources, SettingsUse::connects);
  REQUIRE_FALSE(refused);
  CHECK(mentions(refused.error(), "connection.core_order"));
}
