#include "sandbox/host/readiness.hpp"

#include "unit/sandbox/hosts.hpp"

using namespace satellite::sandbox;
using namespace satellite::sandbox::test;

namespace {

bool mentions(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}

}  // namespace

TEST_CASE("a ready host needs no guidance and no banner") {
  for (const auto& host : {unprivileged_bwrap_host(), root_launcher_host()}) {
    const auto readiness = assess_readiness(host);
    CHECK(readiness.enforceable);
    CHECK(readiness.reasons.empty());
    CHECK(readiness.guidance.empty());
    CHECK(readiness_banner(readiness).empty());
  }
}

TEST_CASE("a host where the native engine works needs no wrapper program") {
  HostFacts host;
  host.launcher_sets_rlimits = true;
  CHECK_FALSE(assess_readiness(host).enforceable);
  host.native_engine = true;
  CHECK(assess_readiness(host).enforceable);
}

TEST_CASE("another platform is guided to a container or to degrade, and told of refusals") {
  const auto readiness = assess_readiness(mac_host());
  CHECK_FALSE(readiness.enforceable);
  CHECK(readiness.platform == "darwin");
  CHECK(mentions(readiness.reasons[0].text, "Linux"));
  for (const char* word : {"Docker", "\"degrade\"", "REFUSED"}) {
    CHECK(mentions(readiness.guidance, word));
  }
}

TEST_CASE("no remedy is named that this operator's settings make useless") {
  HostFacts host = unprivileged_bwrap_host();
  host.wrapper = Wrapper::none;
  const auto open = assess_readiness(host);
  CHECK(mentions(open.reasons[0].text, "install bubblewrap or nsjail"));
  CHECK_FALSE(mentions(open.guidance, "operator.allow_unconfined"));
  const auto held = assess_readiness(host, {Engine::native, Engine::nsjail}, false);
  CHECK_FALSE(mentions(held.reasons[0].text, "install bubblewrap"));
  CHECK(mentions(held.reasons[0].text, "sandbox.engines allows only native, nsjail"));
  CHECK(mentions(held.guidance, "operator.allow_unconfined"));
  CHECK(mentions(held.guidance, "Every script is therefore REFUSED"));
}

TEST_CASE("each missing primitive is a reason of its own") {
  HostFacts blocked = unprivileged_bwrap_host();
  blocked.user_ns_creatable = false;
  CHECK(assess_readiness(blocked).reasons[0].code == "userns");
  const auto bare = assess_readiness(HostFacts{});
  REQUIRE(bare.reasons.size() == 3);
  CHECK(bare.reasons[0].code == "wrapper");
  CHECK(bare.reasons[1].code == "userns");
  CHECK(bare.reasons[2].code == "rlimit");
}

TEST_CASE("the banner carries its headline first and the guidance between two rules") {
  const auto readiness = assess_readiness(mac_host());
  const auto banner = readiness_banner(readiness);
  CHECK(banner.starts_with("SCRIPT SANDBOX: "));
  CHECK(mentions(banner, readiness.guidance));
  const std::string rule(78, '=');
  CHECK(banner.find(rule) != banner.rfind(rule));
}
