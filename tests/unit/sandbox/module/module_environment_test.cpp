#include "sandbox/module/module_environment.hpp"

#include <catch2/catch.hpp>

using namespace satellite::sandbox;

TEST_CASE("variables that a runtime reads at its start are given to its start") {
  const std::string name =
      GENERATE("NODE_EXTRA_CA_CERTS", "BUN_JSC_x", "LANG", "LC_ALL", "HTTPS_PROXY", "no_proxy",
               "SSL_CERT_FILE", "UV_THREADPOOL_SIZE", "NO_COLOR", "TERM", "OPENSSL_CONF");
  CHECK(is_read_at_start(name));
  const auto split = module_variables({{name, "v"}});
  CHECK(split.at_start == NamedValues{{name, "v"}});
  CHECK(split.late.empty());
}

TEST_CASE("all other variables come with the task, in their order") {
  const auto split = module_variables({{"B", "1"}, {"LANG", "C"}, {"A", "2"}, {"TZ", "UTC"}});
  CHECK(split.at_start == NamedValues{{"LANG", "C"}});
  CHECK(split.late == NamedValues{{"B", "1"}, {"A", "2"}, {"TZ", "UTC"}});
  CHECK_FALSE(is_read_at_start("MYNODE_X"));
}
