#include "agent/status/status_history.hpp"
#include "agent/status/status_routes.hpp"
#include "tests/unit/agent/status/example_status.hpp"
#include "tls/digest.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace satellite;
using namespace satellite::agent;
using nlohmann::json;
using satellite::tests::example_status;

namespace {

HttpResponse asked(const std::string& path, const Status& status,
                   RequestFrom from = RequestFrom::unix_socket, const std::string& host = {}) {
  return answer_status_request({true, path, host}, from, [&status] { return status; });
}

}  // namespace

TEST_CASE("the status as JSON has what people and programs ask for") {
  const json status = json::parse(status_json(example_status()));
  CHECK(status.at("ready") == false);
  CHECK(status.at("connection").at("state") == "waiting");
  CHECK(status.at("connection").at("nextAttemptInSeconds") == 7.5);
  CHECK(status.at("connection").at("lastReason") == "TCP: connection refused");
  CHECK(status.at("policy").at("restrictions").size() == 1);
  CHECK(status.at("runs").at("ended").at("dispatched").at("exited") == 1);
  CHECK(status.at("runs").at("recent").at(0).at("outcome") == "refused");
  CHECK(status.at("runs").at("recent").at(0).at("setupSeconds") == nullptr);
  CHECK(status.at("runs").at("recent").at(1).at("setupSeconds") == 0.0125);
  CHECK(status.at("outbox").at("disk") == "disk_full");
  CHECK(status.at("degraded").at(1).at("name") == "outbox");
  CHECK(status.at("history").at("queued") == json::array({2, 5}));
}

TEST_CASE("the status tells what this host can do once the satellite has looked") {
  Status status = example_status();
  CHECK(json::parse(status_json(status)).at("host").is_null());
  status.host = {false, "do something", {{"native_engine", false, "EPERM", "allow it"}}};
  const json host = json::parse(status_json(status)).at("host");
  CHECK(host.at("enforceable") == false);
  CHECK(host.at("guidance") == "do something");
  CHECK(host.at("capabilities").at(0).at("name") == "native_engine");
  CHECK(host.at("capabilities").at(0).at("remedy") == "allow it");
}

TEST_CASE("the status as text says what is wrong first, and nothing from outside makes a line") {
  const std::string text = status_text(example_status());
  CHECK(text.starts_with("checkstack-satellite 1.2.3, process 42, up for 1h2m: not ready\n"));
  CHECK(text.find("degraded") < text.find("connection"));
  CHECK(text.find("next attempt      in 7.5s") != std::string::npos);
  CHECK(text.find("check-\"1\"\\n\\\\") != std::string::npos);
  CHECK(text.find("9 attempts, 1 connection, 0 refusals") != std::string::npos);
  Status hostile = example_status();
  hostile.connection.last_reason = "x\nready\x1b[2J";
  CHECK(status_text(hostile).find("x\\nready\\x1b[2J") != std::string::npos);
}

TEST_CASE("a status with bytes that are not UTF-8 is JSON all the same") {
  Status status;
  status.connection.last_reason = "\xff\xfe";
  CHECK(json::accept(status_json(status)));
}

TEST_CASE("each path has its answer, and readiness is a status") {
  Status status = example_status();
  CHECK(asked("/livez", status).status == 200);
  CHECK(asked("/readyz", status).status == 503);
  CHECK(asked("/readyz", status).body.find("outbox: disk_full") != std::string::npos);
  status.ready = true;
  CHECK(asked("/readyz", status).status == 200);
  CHECK(asked("/metrics", status).content_type.find("version=0.0.4") != std::string::npos);
  CHECK(asked("/status.json", status).content_type == "application/json");
  CHECK(asked("/status", status).body == status_text(status));
  CHECK(asked("/", status).content_type.starts_with("text/html"));
  CHECK(asked("/../etc/passwd", status).status == 404);
}

TEST_CASE("over loopback only this host's own names are answered, since a page may send others") {
  const Status status;
  const auto [host, answer] = GENERATE(table<std::string, unsigned>({
      {"localhost", 200},
      {"127.0.0.1", 200},
      {"127.1.2.3", 200},
      {"[::1]", 200},
      {"", 200},
      {"evil.example", 421},
      {"127.0.0.1.evil.example", 421},
      {"localhost.evil.example", 421},
      {"192.0.2.1", 421},
  }));
  CAPTURE(host);
  CHECK(asked("/status.json", status, RequestFrom::loopback, host).status == answer);
  CHECK(asked("/status.json", status, RequestFrom::unix_socket, host).status == 200);
}

TEST_CASE("the page allows its own script and style sheet, and nothing from elsewhere") {
  const HttpResponse page = status_page();
  const auto between = [&page](const std::string& begin, const std::string& end) {
    const auto from = page.body.find(begin) + begin.size();
    return page.body.substr(from, page.body.find(end, from) - from);
  };
  const std::string script = tls::base64_sha256_of(between("<script>", "</script>"));
  const std::string style = tls::base64_sha256_of(between("<style>", "</style>"));
  CHECK(script.size() == 44);
  const std::string& policy = page.content_security_policy;
  CHECK(policy.find("script-src 'sha256-" + script + "'") != std::string::npos);
  CHECK(policy.find("style-src 'sha256-" + style + "'") != std::string::npos);
  CHECK(policy.find("default-src 'none'") != std::string::npos);
  CHECK(policy.find("unsafe") == std::string::npos);
  for (const char* outside : {"http:", "https:", "//cdn", "innerHTML", " src=", "onclick"}) {
    const std::string name = "http://www.w3.org/2000/svg";  // a name space, not an address
    std::string body = page.body;
    body.erase(body.find(name), name.size());
    CAPTURE(outside);
    CHECK(body.find(outside) == std::string::npos);
  }
}

TEST_CASE("statistics and history keep the latest and are bounded") {
  RunStatistics statistics;
  sandbox::RunResult result;
  result.error = std::string(5'000, 'e');
  for (int i = 0; i < 100; ++i) {
    statistics.ended(RunOrigin::check, std::to_string(i), result, std::nullopt);
  }
  CHECK(statistics.recent().size() == RunStatistics::recent_max);
  CHECK(statistics.recent().front().id == "99");
  CHECK(statistics.recent().front().error.size() < 310);
  CHECK(statistics.prepared_misses() == 0);
  StatusHistory history;
  for (std::uint32_t i = 0; i < 1'000; ++i) history.add({i, 0, 0});
  CHECK(history.samples().size() == StatusHistory::samples_max);
  CHECK(history.samples().back().running == 999);
}
