#include "agent/commands/examination.hpp"

#include "agent/commands/service_unit.hpp"
#include "agent/status/status.hpp"
#include "tests/unit/agent/status/example_status.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;

namespace {

CoreTrial way_of(std::vector<WayStep> steps) {
  CoreTrial way;
  way.steps = std::move(steps);
  return way;
}

const WayStep open_tcp{"tcp", WayStep::State::done, {}, {}};

}  // namespace

TEST_CASE("the verdict is one line that says what the exit code says") {
  struct Row {
    bool is_enforceable;
    std::string caveat;
    std::vector<CoreTrial> ways;
    bool is_well;
    std::string words;
  };
  const CoreTrial whole = way_of({open_tcp, {"token", WayStep::State::done, {}, {}}});
  const CoreTrial untried = way_of({open_tcp, {"token", WayStep::State::not_tried, {}, {}}});
  const CoreTrial broken = way_of({open_tcp, {"token", WayStep::State::failed, {}, {}}});
  const std::vector<Row> rows{
      {true, "", {}, true, "default policy. No core is set here"},
      {true, "", {whole}, true, ", and the way to the core is open."},
      {true, "", {untried}, true, "is open up to the token, which was not tried."},
      {true, "", {whole, broken}, false, ", but the way to the core fails at: token."},
      {true, "as this command sees it", {whole}, true, "policy (as this command sees it), and"},
      {false,
       "",
       {whole},
       false,
       "cannot enforce the shipped default policy, so scripts are "
       "refused, but the way to the core is open."},
      {false, "", {broken}, false, "are refused, and the way to the core fails at: token."}};
  for (const Row& row : rows) {
    Examination seen;
    seen.is_enforceable = row.is_enforceable;
    seen.eyes.caveat = row.caveat;
    seen.ways = row.ways;
    const std::string verdict = verdict_of(seen);
    INFO(verdict);
    CHECK(seen.is_well() == row.is_well);
    CHECK(verdict.find(row.words) != std::string::npos);
    CHECK(verdict.find('\n') == std::string::npos);
  }
}

TEST_CASE("what is missing and needed is in the verdict, what is optional is not") {
  Examination seen;
  seen.is_enforceable = true;
  seen.capabilities.push_back({{"module_runtime", false, "", "install one"}});
  CHECK(seen.is_well());
  seen.capabilities.push_back({{"shell", false, "", "install one"}, false, true});
  CHECK_FALSE(seen.is_well());
  CHECK(
      verdict_of(seen) ==
      "This host can enforce every layer of the shipped default policy, but lacks: shell. No core "
      "is set here, so no way to one was tried.");
}

TEST_CASE("what a satellite tells of its host is read back as it was") {
  Status status = tests::example_status();
  CHECK_FALSE(service_in(status_json(status)).host);
  Status::Host host;
  host.guidance = "do something";
  host.findings = {{"native_engine", false, "EPERM", "allow it"}, {"seccomp", true, "works", ""}};
  status.host = host;
  const RunningService service = service_in(status_json(status));
  CHECK(service.answers);
  CHECK(service.process_id == "42");
  CHECK(service.client_id == "satellite-1");
  CHECK(service.connection_state == "waiting");
  CHECK(service.last_reason == "TCP: connection refused");
  REQUIRE(service.host);
  CHECK_FALSE(service.host->is_enforceable);
  CHECK(service.host->guidance == "do something");
  REQUIRE(service.host->findings.size() == 2);
  CHECK(service.host->findings[0].remedy == "allow it");
  CHECK(service.host->findings[1].present);
}

TEST_CASE("an answer that is no status is an answer, and tells nothing") {
  const std::string text =
      GENERATE(std::string("{"), std::string("[]"), std::string("{\"host\":7,\"connection\":[]}"),
               std::string("{\"processId\":\"x\",\"connection\":\"y\"}"),
               std::string("{\"host\":{\"capabilities\":[1,null,{}],\"enforceable\":\"yes\"}}"));
  const RunningService service = service_in(text);
  CHECK(service.answers);
  CHECK(service.process_id.empty());
  CHECK(service.client_id.empty());
  if (service.host) CHECK_FALSE(service.host->is_enforceable);
}

TEST_CASE("nobody who looks with other eyes than the service's hides that") {
  RunningService service;
  service.why_unknown = "nobody may ask";
  CHECK(eyes_of(service).words.find("is not known (nobody may ask)") != std::string::npos);
  CHECK_FALSE(eyes_of(service).caveat.empty());
  service.why_unknown.clear();
  CHECK(eyes_of(service).words.find("no satellite answers here") != std::string::npos);
  service.answers = true;
  CHECK(eyes_of(service).words.find("has not told what it can do") != std::string::npos);
  CHECK_FALSE(eyes_of(service).caveat.empty());
  service.host.emplace();
  CHECK(eyes_of(service).words.find("was asked what it can do") != std::string::npos);
  CHECK(eyes_of(service).caveat.empty());
}

TEST_CASE("whom a unit runs as is the last User= of its text, else root") {
  CHECK(user_of_unit("[Service]\nUser=checkstack-satellite\n") == "checkstack-satellite");
  CHECK(user_of_unit("[Service]\nUser=a\nUser=b\n") == "b");
  CHECK(user_of_unit("[Service]\n# User=x\nUser=\n") == "root");
  CHECK(user_of_unit("") == "root");
}
