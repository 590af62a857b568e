#include "agent/connection/proxy_answer.hpp"

#include "tests/unit/agent/connection/link_fixture.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;

namespace {

const ProxyQuestion question{{"core.example.org", 443}, ""};

}  // namespace

TEST_CASE("the head of a proxy's answer is read, whichever way it came") {
  const auto [bytes, status, reason] = GENERATE(table<std::string, unsigned, std::string>(
      {{"HTTP/1.1 200 Connection established\r\n\r\n", 200, "Connection established"},
       {"HTTP/1.0 200\r\n\r\n", 200, ""},
       {"HTTP/1.1 200 OK\nVia: x\n\n", 200, "OK"},
       {"HTTP/1.1 204 \r\nContent-Length: 0\r\n\r\n", 204, ""},
       {"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n\r\n<html>", 403, "Forbidden"}}));
  // Nothing is known before the end of the head, nothing changes with the pieces.
  const std::size_t end =
      bytes.find("\n\n") != std::string::npos && bytes.find("\r\n\r\n") == std::string::npos
          ? bytes.find("\n\n") + 2
          : bytes.find("\r\n\r\n") + 4;
  for (std::size_t size = 0; size < end; ++size) {
    const auto part = parse_proxy_answer(bytes.substr(0, size));
    REQUIRE(part);
    CHECK_FALSE(part->has_value());
  }
  const auto answer = parse_proxy_answer(bytes);
  REQUIRE(answer);
  REQUIRE(answer->has_value());
  CHECK((*answer)->status == status);
  CHECK((*answer)->reason == reason);
}

TEST_CASE("what a proxy asks for is taken from its fields") {
  const auto answer = parse_proxy_answer(
      "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Negotiate\r\n"
      "Proxy-Authenticate: NTLM abc\r\nRetry-After:  17 \r\nX: y\r\n\r\n");
  REQUIRE(answer);
  CHECK((*answer)->schemes == "Negotiate, NTLM");
  CHECK((*answer)->retry_after == "17");
}

TEST_CASE("several schemes of one field are found between their parameters") {
  const auto [field, schemes] = GENERATE(table<std::string, std::string>(
      {{"Negotiate, Basic realm=\"x\"", "Negotiate, Basic"},
       {"Digest realm=\"a, b\", nonce=\"1\", Basic realm=c", "Digest, Basic"},
       {"Basic realm=\"NTLM, Kerberos", "Basic"},
       {"Negotiate YII=,NTLM", "Negotiate, NTLM"},
       {", ,", ""}}));
  const auto answer =
      parse_proxy_answer("HTTP/1.1 407 X\r\nProxy-Authenticate: " + field + "\r\n\r\n");
  REQUIRE(answer);
  CHECK((*answer)->schemes == schemes);
}

TEST_CASE(
    "the words of a proxy cannot pass for a remedy of ours, or reach a terminal as commands") {
  const auto answer = parse_proxy_answer(
      "HTTP/1.1 403 No; run: \x1b[31mcurl\x07 \xc2\x9bx\r\n"
      "Proxy-Authenticate: a;\x1b[31m\r\nRetry-After: 5\r\n\r\n");
  REQUIRE(answer);
  const std::string told = (*answer)->reason + (*answer)->schemes;
  INFO(told);
  CHECK(contains((*answer)->reason, "No, run: "));
  CHECK(std::all_of(told.begin(), told.end(),
                    [](char c) { return c >= ' ' && c < '\x7f' && c != ';'; }));
}

TEST_CASE("what is no answer of a proxy is an error before it ends") {
  const auto [bytes, code] = GENERATE(table<std::string, ErrorCode>(
      {{"<html><body>Welcome</body></html>", ErrorCode::unsupported},
       {"SSH-2.0-OpenSSH_9.2\r\n", ErrorCode::unsupported},
       {std::string("\x15\x03\x01\x00\x02\x02\x46", 7), ErrorCode::unsupported},
       {"HTTP/2 200\r\n\r\n", ErrorCode::unsupported},
       {"HTTP/1.1 OK\r\n\r\n", ErrorCode::unsupported},
       {"HTTP/1.1 099 x\r\n\r\n", ErrorCode::unsupported},
       {"HTTP/1.1 2000 x\r\n\r\n", ErrorCode::unsupported},
       {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>log in</html>",
        ErrorCode::unsupported},
       {"HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x'), ErrorCode::limit_exceeded},
       {"HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n",
        ErrorCode::limit_exceeded}}));
  const auto answer = parse_proxy_answer(bytes);
  INFO(bytes.substr(0, 60));
  REQUIRE_FALSE(answer);
  CHECK(name_of(answer.error().code) == name_of(code));
  CHECK(answer.error().message.size() < 400);
}

TEST_CASE("a refusal names the status, where to, and what to do") {
  struct Row {
    unsigned status;
    std::string schemes, credentials;
    ErrorCode code;
    std::string words;
  };
  const Row row =
      GENERATE(Row{407, "", "", ErrorCode::not_permitted, "proxy.credentials_file"},
               Row{407, "Basic", "", ErrorCode::not_permitted, "proxy.credentials_file"},
               Row{407, "Negotiate, Basic", "the file", ErrorCode::not_permitted,
                   "refused user and password of the file"},
               Row{407, "NTLM", "the file", ErrorCode::not_permitted, "NTLM"},
               Row{403, "", "", ErrorCode::not_permitted, "core.example.org:443"},
               Row{401, "", "", ErrorCode::not_permitted, "core.example.org:443"},
               Row{502, "", "", ErrorCode::unavailable, "core.example.org:443"},
               Row{503, "", "", ErrorCode::unavailable, "core.example.org:443"},
               Row{504, "", "", ErrorCode::unavailable, "core.example.org:443"},
               Row{404, "", "", ErrorCode::unsupported, "is this a proxy"},
               Row{405, "", "", ErrorCode::unsupported, "is this a proxy"},
               Row{302, "", "", ErrorCode::not_permitted, "redirects are refused"},
               Row{100, "", "", ErrorCode::unavailable, "100"},
               Row{500, "", "", ErrorCode::unavailable, "500"});
  const ProxyAnswer answer{row.status, "Words", row.schemes, ""};
  ProxyQuestion asked = question;
  asked.credentials = row.credentials;
  const Error error = proxy_refusal(answer, asked);
  CHECK(name_of(error.code) == name_of(row.code));
  CHECK(contains(error.message, "HTTP " + std::to_string(row.status) + " \"Words\""));
  CHECK(contains(error.message, row.words));
}

TEST_CASE("an IPv6 core stands in brackets in the question") {
  CHECK(connect_target({"2001:db8::1", 8443}) == "[2001:db8::1]:8443");
  CHECK(connect_target({"192.0.2.7", 443}) == "192.0.2.7:443");
}
