#include "agent/http/http_request.hpp"

#include <catch2/catch.hpp>

using namespace satellite::agent;

namespace {

using State = ParsedRequest::State;

}  // namespace

TEST_CASE("a request is complete with its empty line, and not before") {
  const std::string bytes = "GET /metrics?x=1 HTTP/1.1\r\nHost: LocalHost:9464\r\nA: b\r\n\r\n";
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CHECK(parse_http_request(std::string_view(bytes).substr(0, size)).state == State::incomplete);
  }
  const auto parsed = parse_http_request(bytes);
  REQUIRE(parsed.state == State::complete);
  CHECK(parsed.request.path == "/metrics");
  CHECK(parsed.request.host == "localhost");
  CHECK(parsed.request.wants_body);
}

TEST_CASE("the host is read with and without port, also as an IPv6 address") {
  const auto [header, host] = GENERATE(table<std::string, std::string>({
      {"Host: 127.0.0.1:80\r\n", "127.0.0.1"},
      {"Host: [::1]:9464\r\n", "[::1]"},
      {"Host: [::1]\r\n", "[::1]"},
      {"Host: Evil.Example\r\n", "evil.example"},
      {"", ""},
  }));
  const auto parsed = parse_http_request("HEAD / HTTP/1.0\r\n" + header + "\r\n");
  REQUIRE(parsed.state == State::complete);
  CHECK(parsed.request.host == host);
  CHECK_FALSE(parsed.request.wants_body);
}

TEST_CASE("what is no request, asks for too much or does something is answered with its status") {
  const auto [bytes, status] = GENERATE(table<std::string, unsigned>({
      {"POST / HTTP/1.1\r\n\r\n", 405},
      {"DELETE /status HTTP/1.1\r\n\r\n", 405},
      {"GET http://elsewhere/ HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\n\r\n", 505},
      {"hello\r\n\r\n", 400},
      {std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8), 400},
      {"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nX: " + std::string(http_head_size_max, 'a'), 431},
      {"GET /" + std::string(http_head_size_max, 'a'), 431},
      {std::string(http_head_size_max, 'a'), 431},
  }));
  CAPTURE(bytes.substr(0, 40));
  const auto parsed = parse_http_request(bytes);
  REQUIRE(parsed.state == State::wrong);
  CHECK(parsed.status == status);
}

TEST_CASE("an answer names its length, closes the connection and may leave its body out") {
  HttpResponse response;
  response.body = "hello\n";
  const std::string with = encode_http_response(response, true);
  CHECK(with.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(with.find("Content-Length: 6\r\n") != std::string::npos);
  CHECK(with.find("Connection: close\r\n\r\nhello\n") != std::string::npos);
  const std::string without = encode_http_response(response, false);
  CHECK(
      without.ends_with("Content-Security-Policy: default-src 'none'\r\n"
                        "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
                        "Connection: close\r\n\r\n"));
  CHECK(without.find("Content-Length: 6\r\n") != std::string::npos);
}
