#include "tests/support/temp_dir.hpp"
#include "tests/unit/agent/config/config_fixture.hpp"

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;

namespace {

ProxySettings proxy_of(const ConfigSources& sources) {
  const auto loaded = load_config(sources, SettingsUse::connects);
  REQUIRE(loaded);
  return loaded->config.proxy;
}

}  // namespace

TEST_CASE("the variables of the environment name a proxy where no setting does") {
  const TempDir directory;
  ConfigSources sources = minimal();
  CHECK(proxy_of(sources).url.empty());
  sources.environment["https_proxy"] = "http://small:1";
  sources.environment["no_proxy"] = "small.example";
  CHECK(proxy_of(sources).url == "http://small:1");
  CHECK(proxy_of(sources).url_source == "environment https_proxy");
  CHECK(proxy_of(sources).bypass == "small.example");
  sources.environment["HTTPS_PROXY"] = "http://large:2";
  sources.environment["NO_PROXY"] = "large.example";
  CHECK(proxy_of(sources).url == "http://large:2");
  CHECK(proxy_of(sources).bypass_source == "environment NO_PROXY");
  sources.file = directory.write(
      "s.toml", "[proxy]\nurl = \"http://file:3\"\nbypass = [\"a.example\", \"10.0.0.0/8\"]\n");
  CHECK(proxy_of(sources).url == "http://file:3");
  CHECK(proxy_of(sources).bypass == "a.example,10.0.0.0/8");
  sources.environment["CHECKSTACK_SATELLITE_PROXY"] = "http://own:4";
  CHECK(proxy_of(sources).url == "http://own:4");
  sources.options["proxy.url"] = "none";
  CHECK(proxy_of(sources).url == "none");
}

TEST_CASE("a service's credential holds the proxy's user where no setting names a file") {
  const TempDir directory;
  ConfigSources sources = minimal();
  sources.environment["CREDENTIALS_DIRECTORY"] = directory.path().string();
  CHECK(proxy_of(sources).credentials_file.empty());
  const std::string file = directory.write("proxy-credentials", "user:password");
  CHECK(proxy_of(sources).credentials_file == file);
  CHECK(proxy_of(sources).credentials_source == "$CREDENTIALS_DIRECTORY");
  sources.options["proxy.credentials_file"] = "/other";
  CHECK(proxy_of(sources).credentials_file == "/other");
}
