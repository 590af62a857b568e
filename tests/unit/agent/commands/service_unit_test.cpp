#include "agent/commands/service_unit.hpp"

#include "agent/config/load_config.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;

TEST_CASE("settings and token that the service does not read are refused with what to do") {
  const std::string token = "/etc/checkstack-satellite/token";
  CHECK(check_places_of_service(default_config_file, token));
  const auto [settings, named, words] = GENERATE_COPY(table<std::string, std::string, std::string>(
      {{default_config_file, "/root/token", "/root/token: the service takes its token from"},
       {"/root/satellite.toml", token, "/root/satellite.toml: the service reads its settings"}}));
  const auto refused = check_places_of_service(settings, named);
  REQUIRE_FALSE(refused);
  CHECK(name_of(refused.error().code) == "invalid_input");
  CHECK(refused.error().message.starts_with(words));
  CHECK(refused.error().message.find("--no-start") != std::string::npos);
}
