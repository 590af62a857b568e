#include "tests/support/temp_dir.hpp"
#include "tests/unit/agent/config/config_fixture.hpp"

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;

namespace {

const std::string one_pin = "sha256/AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
const std::string other_pin = "sha256//AgIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

}  // namespace

TEST_CASE("whom to trust and who we are is taken from the section tls") {
  const TempDir directory;
  ConfigSources sources = minimal();
  sources.file = directory.write(
      "s.toml", "[tls]\nca_directory = \"/etc/own\"\nsystem_store = \"added\"\npins = [\"" +
                    one_pin + "\", \"" + other_pin +
                    "\"]\ncertificate_file = \"/c.pem\"\nkey_file = \"/k.pem\"\n");
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  const Config& config = loaded->config;
  CHECK(config.ca_directory == "/etc/own");
  CHECK(config.system_store == tls::SystemStore::added);
  REQUIRE(config.pins.size() == 2);
  CHECK(config.pins[0][0] == 1);
  CHECK(config.pins[1][0] == 2);
  CHECK(config.client_files.certificate == "/c.pem");
  CHECK(config.client_files.key == "/k.pem");
  CHECK(config.client_files.key_setting.find("s.toml:6") != std::string::npos);
}

TEST_CASE("what is wrong in the section tls is named with its source") {
  const auto [key, value, words] = GENERATE(table<std::string, std::string, std::string>(
      {{"tls.system_store", "both", "neither replaced nor added"},
       {"tls.pins", "sha256/short", "a pin is sha256/"},
       {"tls.pins", "3f:9a:00", "a pin is sha256/"},
       {"tls.certificate_file", "/c.pem", "needs tls.key_file"},
       {"tls.key_file", "/k.pem", "needs tls.certificate_file"}}));
  ConfigSources sources = minimal();
  sources.options[key] = value;
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE_FALSE(loaded);
  CHECK(mentions(loaded.error(), key + " (from option --"));
  CHECK(mentions(loaded.error(), words));
}

TEST_CASE("a service's credentials are the client certificate where no setting names another") {
  const TempDir directory;
  ConfigSources sources = minimal();
  sources.environment["CREDENTIALS_DIRECTORY"] = directory.path().string();
  CHECK(load_config(sources, SettingsUse::connects)->config.client_files.certificate.empty());
  directory.write("client-certificate", "x");
  // One of two is a mistake that the reading of the files tells, not a satellite without either.
  const auto files = load_config(sources, SettingsUse::connects)->config.client_files;
  CHECK(files.certificate == (directory.path() / "client-certificate").string());
  CHECK(files.key == (directory.path() / "client-key").string());
  sources.options["tls.certificate_file"] = "/c.pem";
  sources.options["tls.key_file"] = "/k.pem";
  CHECK(load_config(sources, SettingsUse::connects)->config.client_files.key == "/k.pem");
}
