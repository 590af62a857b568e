#include "sandbox/report/report.hpp"

#include "sandbox/report/outcome.hpp"
#include "unit/sandbox/hosts.hpp"

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::sandbox::test;

TEST_CASE("a report has the reference satellite's shape plus engine and layers") {
  const auto plan =
      plan_for(default_with(R"({"onUnavailable":"degrade","privilege":{"mode":"inherit"}})"),
               bare_root_host(), run_in("/tmp/run"));
  const auto json = to_json(plan.promise);
  for (const char* key :
       {"requested", "enforced", "downgrades", "notes", "platform", "engine", "layers"}) {
    CHECK(json.contains(key));
  }
  CHECK(json.size() == 7);
  CHECK(json["requested"] == to_json(plan.promise.requested));
  CHECK(json["enforced"]["privilege"] == false);
  CHECK(json["engine"] == "none");
  REQUIRE(json["layers"].size() == 4);
  CHECK(json["layers"][3]["layer"] == "privilege");
  CHECK(json["layers"][3]["state"] == "absent");
  CHECK(json["layers"][1]["required"] == true);
  CHECK(json["downgrades"][0].contains("reason"));
  CHECK(json["notes"][0].contains("note"));
}

TEST_CASE("a refusal names every layer and its reason in one line") {
  CHECK(refusal_text({{Layer::network, "no namespace"}, {Layer::privilege, "root"}}) ==
        "sandbox unavailable: network: no namespace; privilege: root");
}

TEST_CASE("the summary is one readable line") {
  const auto plan =
      plan_for(shipped_default_policy(), unprivileged_bwrap_host(), run_in("/tmp/run"));
  CHECK(summary_line(plan.promise) ==
        "engine=bwrap resources=enforced (memory is not limited) filesystem=enforced "
        "network=enforced privilege=enforced");
  CHECK(to_json(plan.promise)["layers"][0]["lacks"] == "memory is not limited");
}

TEST_CASE("outcomes have the words of the protocol") {
  using Row = std::tuple<Outcome, const char*>;
  const auto [outcome, name] = GENERATE(table<Outcome, const char*>({
      Row{Outcome::exited, "exited"},
      Row{Outcome::signaled, "signaled"},
      Row{Outcome::timed_out, "timed_out"},
      Row{Outcome::cancelled, "cancelled"},
      Row{Outcome::output_limit, "output_limit"},
      Row{Outcome::memory_limit, "memory_limit"},
      Row{Outcome::refused, "refused"},
      Row{Outcome::setup_failed, "setup_failed"},
      Row{Outcome::interrupted, "interrupted"},
  }));
  CHECK(name_of(outcome) == name);
}

TEST_CASE("host facts go to JSON and back unchanged") {
  HostFacts facts = macvlan_host();
  facts.wrapper_path = "/usr/bin/nsjail";
  facts.launcher_drops_privilege = true;
  const auto json = to_json(facts);
  const auto back = host_facts_from_json(json);
  REQUIRE(back.has_value());
  CHECK(to_json(*back) == json);
  CHECK(back->net_egress_addressing == facts.net_egress_addressing);
  CHECK(host_facts_from_json(nlohmann::json::object())->wrapper == Wrapper::none);
  CHECK_FALSE(host_facts_from_json({{"wrapper", "docker"}}).has_value());
  CHECK_FALSE(host_facts_from_json({{"euidIsRoot", 1}}).has_value());
  CHECK_FALSE(host_facts_from_json(nlohmann::json::array()).has_value());
}
