#include "tests/end_to_end/scene.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/test_network.hpp"

#include <unistd.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <vector>

using namespace satellite;
using namespace satellite::tests;
using nlohmann::json;

// What a script may reach, from the policy a core relays to the packets on a wire.

namespace {

std::string allowing(const std::string& entries) {
  return R"({"enabled":true,"onUnavailable":"fail","filesystem":{"mode":"scratch-plus-ro"},
    "network":{"mode":"allowlist","allow":[)" +
         entries + R"(],"denyLinkLocalAndMetadata":true},"privilege":{"mode":"drop-to-uid"}})";
}

/// Tries each address; one that is expected to answer is given time, the others a second.
std::string attempts(const std::vector<std::string>& expected) {
  std::string text = connecting_functions();
  for (const std::string address : {"198.51.100.1", "198.51.100.2", "169.254.169.254"}) {
    const bool answers = std::count(expected.begin(), expected.end(), address) > 0;
    text += "tcp " + address + " " + address + (answers ? " 8\n" : " 1\n");
  }
  return text;
}

std::string answers_of(const std::vector<std::string>& expected) {
  std::string text;
  for (const std::string address : {"198.51.100.1", "198.51.100.2", "169.254.169.254"}) {
    const bool answers = std::count(expected.begin(), expected.end(), address) > 0;
    text += address + (answers ? " yes\n" : " no\n");
  }
  return text;
}

/// The satellite and the core live in the test network's host; only root can make one.
bool network_can_be_made() {
  return require_layer("root", ::geteuid() == 0, "only root can make a test network");
}

}  // namespace

TEST_CASE("a dispatched script reaches what its relayed allowlist names and nothing else") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  Scene scene(Scene::with_policy(allowing(R"("198.51.100.1","169.254.0.0/16")")));
  const std::vector<std::string> first{"198.51.100.1"}, second{"198.51.100.2"};
  const std::vector<std::string> all{"198.51.100.1", "198.51.100.2", "169.254.169.254"};
  const auto run = scene.run(attempts(first));
  INFO(run.standard_error << run.finished->error.value_or(""));
  CHECK(run.standard_output == answers_of(first));
  const json sandbox = json::parse(run.started->sandbox_json);
  CHECK(sandbox.at("enforced").at("network") == true);
  CHECK(sandbox.at("downgrades").empty());

  scene.core().push_policy(allowing(R"("198.51.100.2/32")"));
  eventually("another allowlist holds for the next run",
             [&] { return scene.run(attempts(second)).standard_output == answers_of(second); });

  scene.core().push_policy(open_network_policy);
  eventually("on the host's network the same script reaches everything",
             [&] { return scene.run(attempts(all)).standard_output == answers_of(all); });
}
