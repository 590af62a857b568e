#include "agent/connection/core_url.hpp"

#include <catch2/catch.hpp>
#include <tuple>

using namespace satellite;
using namespace satellite::agent;

TEST_CASE("a core URL becomes host, port and target as the contract joins them") {
  const auto [url, wanted, host, port] =
      GENERATE(table<std::string, std::string, std::string, int>({
          {"https://core.example.org", "wss://core.example.org/api/ws/satellite",
           "core.example.org", 443},
          {"wss://core.example.org", "wss://core.example.org/api/ws/satellite", "core.example.org",
           443},
          {"https://core.example.org/", "wss://core.example.org/api/ws/satellite",
           "core.example.org", 443},
          {"https://core.example.org//", "wss://core.example.org//api/ws/satellite",
           "core.example.org", 443},
          {"https://core.example.org/a/b", "wss://core.example.org/a/b/api/ws/satellite",
           "core.example.org", 443},
          {"https://core.example.org/a/", "wss://core.example.org/a/api/ws/satellite",
           "core.example.org", 443},
          {"https://core.example.org:8443/x", "wss://core.example.org:8443/x/api/ws/satellite",
           "core.example.org", 8443},
          {"https://core.example.org:443", "wss://core.example.org/api/ws/satellite",
           "core.example.org", 443},
          {"HTTPS://Core.Example.ORG.", "wss://core.example.org/api/ws/satellite",
           "core.example.org", 443},
          {"https://192.0.2.7:8443", "wss://192.0.2.7:8443/api/ws/satellite", "192.0.2.7", 8443},
          {"https://[2001:DB8::1]", "wss://[2001:db8::1]/api/ws/satellite", "2001:db8::1", 443},
          {"https://[2001:db8::1]:8443", "wss://[2001:db8::1]:8443/api/ws/satellite", "2001:db8::1",
           8443},
          {"http://127.0.0.1:3000", "ws://127.0.0.1:3000/api/ws/satellite", "127.0.0.1", 3000},
          {"ws://127.9.9.9", "ws://127.9.9.9/api/ws/satellite", "127.9.9.9", 80},
          {"http://[::1]:3000", "ws://[::1]:3000/api/ws/satellite", "::1", 3000},
          {"ws://localhost:3000/", "ws://localhost:3000/api/ws/satellite", "localhost", 3000},
          {"https://my_host/https://x", "wss://my_host/https://x/api/ws/satellite", "my_host", 443},
      }));
  CAPTURE(url);
  const auto address = parse_core_url(url);
  REQUIRE(address);
  CHECK(address->url() == wanted);
  CHECK(address->host == host);
  CHECK(address->port == port);
}

TEST_CASE("the Host header has brackets for IPv6 and a port only where it is not the default") {
  CHECK(parse_core_url("https://[2001:db8::1]")->host_header == "[2001:db8::1]");
  CHECK(parse_core_url("https://[2001:db8::1]:8443")->host_header == "[2001:db8::1]:8443");
  CHECK(parse_core_url("https://core.example.org:443")->host_header == "core.example.org");
  CHECK(parse_core_url("http://localhost:443")->host_header == "localhost:443");
  CHECK(parse_core_url("http://localhost:80")->host_header == "localhost");
}

TEST_CASE("what could be read in two ways is refused") {
  const std::string url = GENERATE(
      as<std::string>{}, "", "core.example.org", "https:/core.example.org",
      "ftp://core.example.org", "https://", "https:///path", "https://:443",
      "https://core.example.org:", "https://core.example.org:0", "https://core.example.org:65536",
      "https://core.example.org:4 43", "https://core.example.org:+443",
      "https://user@core.example.org", "https://user:secret@core.example.org",
      "https://core.example.org?x=1", "https://core.example.org/#top", "https://core.example.org#",
      "https://2001:db8::1", "https://[2001:db8::1", "https://[2001:db8::1]x",
      "https://[fe80::1%25eth0]", "https://[not-an-address]", "https://127.1", "https://0x7f.1",
      "https://2130706433", "https://1.2.3.4.5", "https://999.1.1.1", "https://01.2.3.4",
      "https://a..b", "https://.a", "https://a..", "https://exämple.org", "https://a b",
      "https://a\tb", "https://a\r\nb", "https://core.example.org\\x", "https://core.example.org/ä",
      "https://a!b", " https://a", "https://a ");
  CAPTURE(url);
  const auto address = parse_core_url(url);
  REQUIRE_FALSE(address);
  CHECK(address.error().code == ErrorCode::invalid_input);
  CHECK(address.error().message.find("core URL: ") == 0);
}

TEST_CASE("an error about a URL never repeats the password in it") {
  const auto address = parse_core_url("https://user:hunter2@core.example.org");
  REQUIRE_FALSE(address);
  CHECK(address.error().message.find("hunter2") == std::string::npos);
}

TEST_CASE("without TLS only this very host is accepted") {
  const auto [url, is_allowed] = GENERATE(table<std::string, bool>({
      {"http://127.0.0.1", true},
      {"ws://127.255.255.254:1", true},
      {"ws://[::1]", true},
      {"ws://localhost", true},
      {"ws://LOCALHOST.", true},
      {"http://core.example.org", false},
      {"ws://128.0.0.1", false},
      {"ws://0.0.0.0", false},
      {"ws://[::]", false},
      {"ws://[::ffff:127.0.0.1]", false},
      {"ws://localhost.example.org", false},
      {"ws://notlocalhost", false},
      {"ws://10.0.0.1", false},
  }));
  CAPTURE(url);
  CHECK(parse_core_url(url).has_value() == is_allowed);
}

TEST_CASE("names and labels are as long as DNS allows and not longer") {
  const std::string label(63, 'a');
  CHECK(parse_core_url("https://" + label));
  CHECK_FALSE(parse_core_url("https://" + label + "a"));
  const std::string name = label + '.' + label + '.' + label + '.' + std::string(61, 'b');
  REQUIRE(name.size() == 253);
  CHECK(parse_core_url("https://" + name));
  CHECK_FALSE(parse_core_url("https://" + name + "b"));
  CHECK_FALSE(parse_core_url("https://a/" + std::string(2'048, 'p')));
}

TEST_CASE("several cores are named with commas, none of them twice and not too many") {
  const auto one = parse_core_urls("https://core.example");
  REQUIRE(one);
  CHECK(*one == std::vector<CoreAddress>{*parse_core_url("https://core.example")});
  const auto two = parse_core_urls("https://a.example , wss://b.example:8443/x");
  REQUIRE(two);
  CHECK(*two == std::vector<CoreAddress>{*parse_core_url("https://a.example"),
                                         *parse_core_url("wss://b.example:8443/x")});
  for (const char* wrong :
       {"", ",", "https://a.example,", "https://a.example,,https://b.example",
        "https://a.example,http://b.example", "https://a.example,wss://a.example/",
        "https://a.example;https://b.example"}) {
    INFO(wrong);
    CHECK_FALSE(parse_core_urls(wrong));
  }
  std::string many = "https://h0.example";
  for (int i = 1; i < 8; ++i) many += ",https://h" + std::to_string(i) + ".example";
  CHECK(parse_core_urls(many)->size() == 8);
  CHECK(parse_core_urls(many + ",https://h8.example").error().code == ErrorCode::limit_exceeded);
}
