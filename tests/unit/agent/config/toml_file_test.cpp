#include "agent/config/toml_file.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;

TEST_CASE("a settings file becomes dotted keys with their lines") {
  const auto values = parse_toml_settings(
      "core = \"https://core\"\n\n[tls]\nca_file = '/ca.pem'\n[dispatch]\nconcurrency = 4\n"
      "automation = false\n",
      "a.toml");
  REQUIRE(values);
  CHECK(values->at("core").text == "https://core");
  CHECK(values->at("core").where == "a.toml:1");
  CHECK(values->at("tls.ca_file").text == "/ca.pem");
  CHECK(values->at("dispatch.concurrency").text == "4");
  CHECK(values->at("dispatch.concurrency").where == "a.toml:6");
  CHECK(values->at("dispatch.automation").text == "false");
}

TEST_CASE("what is not TOML, or no setting's shape, is refused with its place") {
  const auto text = GENERATE(as<std::string>{}, "core = ", "core", "core = [1]\n",
                             "core = 1979-05-27\n", "[a]\nb.c = 1\n", "a = 1\na = 2\n",
                             "core = \"\\q\"\n", "core = 1.5\n", "\x01 = 1\n", "[a\n");
  const auto values = parse_toml_settings(text, "a.toml");
  INFO(text);
  REQUIRE_FALSE(values);
  CHECK(values.error().code == ErrorCode::invalid_input);
  CHECK(values.error().message.rfind("a.toml", 0) == 0);
}

TEST_CASE("a list is a setting's text with commas, where the setting is one") {
  const auto values = parse_toml_settings(
      "[host_view]\npaths = [\"/a\", \"/b\"]\nloopback = [8080, \"http\"]\nkinds = []\n", "a.toml");
  REQUIRE(values);
  CHECK(values->at("host_view.paths").text == "/a,/b");
  CHECK(values->at("host_view.loopback").text == "8080,http");
  CHECK(values->at("host_view.kinds").text.empty());
  for (const char* wrong : {"[host_view]\npaths = [\"/a,b\"]\n", "[host_view]\npaths = [[1]]\n",
                            "[host_view]\npaths = [{a = 1}]\n", "[tls]\nca_file = [\"/a\"]\n"}) {
    INFO(wrong);
    CHECK_FALSE(parse_toml_settings(wrong, "a.toml"));
  }
}

TEST_CASE("an empty file is an empty set of settings") {
  const auto values = parse_toml_settings("# nothing\n", "a.toml");
  REQUIRE(values);
  CHECK(values->empty());
}
