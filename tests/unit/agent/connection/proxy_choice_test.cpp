#include "agent/connection/proxy_choice.hpp"
#include "agent/connection/proxy_bypass.hpp"
#include "agent/connection/proxy_credentials.hpp"
#include "tests/devcore/temporary_certificate.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/agent/connection/link_fixture.hpp"

#include <sys/stat.h>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;

namespace {

ProxySettings set_to(const std::string& url, const std::string& bypass = "",
                     const std::string& bypass_source = "option --proxy-bypass") {
  ProxySettings settings;
  settings.url = url;
  settings.url_source = "environment HTTPS_PROXY";
  settings.bypass = bypass;
  settings.bypass_source = bypass_source;
  return settings;
}

}  // namespace

TEST_CASE("the URL of a proxy is taken apart, without a scheme it means http") {
  const auto [url, written, host, port] =
      GENERATE(table<std::string, std::string, std::string, int>(
          {{"http://proxy.example.org:3128", "http://proxy.example.org:3128", "proxy.example.org",
            3128},
           {"proxy:3128", "http://proxy:3128", "proxy", 3128},
           {"http://Proxy.Example.ORG/", "http://proxy.example.org:80", "proxy.example.org", 80},
           {"https://proxy", "https://proxy:443", "proxy", 443},
           {"HTTPS://192.0.2.7:3129", "https://192.0.2.7:3129", "192.0.2.7", 3129},
           {"http://[2001:DB8::7]:3128", "http://[2001:db8::7]:3128", "2001:db8::7", 3128},
           {"[::1]:3128", "http://[::1]:3128", "::1", 3128}}));
  const auto proxy = parse_proxy_url(url);
  INFO(url);
  REQUIRE(proxy);
  CHECK(proxy->url == written);
  CHECK(proxy->place.host == host);
  CHECK(proxy->place.port == port);
  CHECK((proxy->transport == Transport::tls) == written.starts_with("https"));
}

TEST_CASE("what is no proxy is refused with the remedy, and a password is never repeated") {
  const auto [url, words] = GENERATE(
      table<std::string, std::string>({{"socks5://proxy:1080", "SOCKS"},
                                       {"ftp://proxy", "scheme"},
                                       {"http://user:geheim@proxy:3128", "proxy.credentials_file"},
                                       {"user:geheim@proxy:3128", "proxy.credentials_file"},
                                       {"http://user@proxy", "proxy.credentials_file"},
                                       {"http://proxy:3128/geheim", "no path"},
                                       {"http://proxy:3128?geheim", "no path"},
                                       {"http://", "host is missing"},
                                       {"http://proxy:0", "port"},
                                       {"http://proxy:99999", "port"},
                                       {"http://2001:db8::7:3128", "brackets"},
                                       {"http://127.1:3128", "IPv4"},
                                       {"http://pro xy", "space"},
                                       {"http://proxy\r\nHost: x", "control character"}}));
  const auto proxy = parse_proxy_url(url);
  INFO(url);
  REQUIRE_FALSE(proxy);
  CHECK(name_of(proxy.error().code) == "invalid_input");
  CHECK(contains(proxy.error().message, words));
  CHECK_FALSE(contains(proxy.error().message, "geheim"));
}

TEST_CASE("NO_PROXY: who is reached directly, by name, address, block and port") {
  struct Row {
    std::string list, host;
    int port;
    std::string entry;  // empty = through the proxy
  };
  const Row row = GENERATE(
      Row{"", "core.example.org", 443, ""},
      Row{"core.example.org", "core.example.org", 443, "core.example.org"},
      Row{"example.org", "core.example.org", 443, "example.org"},
      Row{".example.org", "core.example.org", 443, ".example.org"},
      Row{"*.example.org", "core.example.org", 443, "*.example.org"},
      Row{".example.org", "example.org", 443, ".example.org"},
      Row{"example.org", "badexample.org", 443, ""}, Row{"ample.org", "example.org", 443, ""},
      Row{"core.example.org", "example.org", 443, ""},
      Row{"EXAMPLE.org.", "core.example.org", 443, "EXAMPLE.org."},
      Row{"a, b ,core.example.org", "core.example.org", 443, "core.example.org"},
      Row{"a b\tcore.example.org", "core.example.org", 443, "core.example.org"},
      Row{",,", "core.example.org", 443, ""}, Row{"*", "core.example.org", 443, "*"},
      Row{"*", "192.0.2.7", 443, "*"}, Row{"core.example.org:8443", "core.example.org", 443, ""},
      Row{"core.example.org:8443", "core.example.org", 8443, "core.example.org:8443"},
      Row{".example.org:443", "core.example.org", 443, ".example.org:443"},
      Row{"192.0.2.7", "192.0.2.7", 443, "192.0.2.7"}, Row{"192.0.2.7", "192.0.2.70", 443, ""},
      Row{"192.0.2.7:443", "192.0.2.7", 443, "192.0.2.7:443"},
      Row{"192.0.2.7:80", "192.0.2.7", 443, ""}, Row{"10.0.0.0/8", "10.255.0.1", 443, "10.0.0.0/8"},
      Row{"10.0.0.0/8", "11.0.0.1", 443, ""}, Row{"10.1.2.3/8", "10.9.9.9", 443, "10.1.2.3/8"},
      Row{"192.0.2.128/25", "192.0.2.127", 443, ""},
      Row{"192.0.2.128/25", "192.0.2.129", 443, "192.0.2.128/25"},
      Row{"0.0.0.0/0", "203.0.113.5", 443, "0.0.0.0/0"}, Row{"0.0.0.0/0", "2001:db8::1", 443, ""},
      Row{"0.0.0.0/0", "core.example.org", 443, ""},
      Row{"2001:db8::/32", "2001:db8:1::9", 443, "2001:db8::/32"},
      Row{"2001:db8::/32", "2001:db9::1", 443, ""},
      Row{"2001:DB8::1", "2001:db8::1", 443, "2001:DB8::1"},
      Row{"[2001:db8::1]", "2001:db8::1", 443, "[2001:db8::1]"},
      Row{"[2001:db8::1]:443", "2001:db8::1", 443, "[2001:db8::1]:443"},
      Row{"[2001:db8::1]:80", "2001:db8::1", 443, ""}, Row{"::/0", "192.0.2.7", 443, ""},
      Row{"7", "192.0.2.7", 443, ""}, Row{"10.0.0.0/33", "10.0.0.1", 443, ""},
      Row{"core.example.org:port", "core.example.org", 443, ""},
      Row{"http://core.example.org", "core.example.org", 443, ""});
  INFO('"' << row.list << "\" and " << row.host << ':' << row.port);
  const HostAndPort wanted{row.host, static_cast<std::uint16_t>(row.port)};
  CHECK(bypassed_by(row.list, wanted).value_or("") == row.entry);
}

TEST_CASE("a list without end is read to its bound, and that is told") {
  std::string list;
  for (int i = 0; i < 300; ++i) list += "host" + std::to_string(i) + ',';
  CHECK(bypassed_by(list, {"host255", 443}) == "host255");
  CHECK_FALSE(bypassed_by(list, {"host256", 443}));
  CHECK(unknown_bypass_entries(list) == std::vector<std::string>{"…"});
  CHECK(unknown_bypass_entries("a,10.0.0.0/33,::1,*") == std::vector<std::string>{"10.0.0.0/33"});
}

TEST_CASE("which way leads to a core, and why") {
  struct Row {
    ProxySettings settings;
    std::string core, proxy, why;
  };
  const Row row =
      GENERATE(Row{set_to(""), "https://core.example.org", "", "no proxy is set"},
               Row{set_to("none"), "https://core.example.org", "", "proxy.url is none"},
               Row{set_to("http://proxy:3128"), "https://core.example.org", "http://proxy:3128",
                   "environment HTTPS_PROXY"},
               Row{set_to("http://proxy:3128", "example.org", "environment NO_PROXY"),
                   "https://core.example.org", "", "environment NO_PROXY has \"example.org\""},
               Row{set_to("http://proxy:3128", "example.org:80"), "https://core.example.org",
                   "http://proxy:3128", "environment HTTPS_PROXY"},
               Row{set_to("http://proxy:3128", "10.0.0.0/99", "environment NO_PROXY"),
                   "https://10.0.0.1", "http://proxy:3128", "environment HTTPS_PROXY"},
               Row{set_to("http://proxy:3128"), "https://127.0.0.1:8443", "", "on this host"},
               Row{set_to("http://proxy:3128"), "http://localhost:3000", "", "on this host"},
               Row{set_to("http://proxy:3128"), "https://[::1]:8443", "", "on this host"});
  const auto choice = choose_proxy(row.settings, *parse_core_url(row.core));
  REQUIRE(choice);
  CHECK((choice->proxy ? choice->proxy->url : "") == row.proxy);
  CHECK(contains(choice->why, row.why));
}

TEST_CASE("a wrong proxy or list is an error with its source, a foreign NO_PROXY is not") {
  const auto core = *parse_core_url("https://core.example.org");
  const auto wrong_url = choose_proxy(set_to("socks5://proxy"), core);
  REQUIRE_FALSE(wrong_url);
  CHECK(contains(wrong_url.error().message, "environment HTTPS_PROXY"));
  const auto wrong_list = choose_proxy(set_to("http://proxy", "10.0.0.0/99"), core);
  REQUIRE_FALSE(wrong_list);
  CHECK(contains(wrong_list.error().message, "option --proxy-bypass"));
  CHECK(contains(wrong_list.error().message, "10.0.0.0/99"));
  const auto foreign = set_to("http://proxy", "a/b/c", "environment NO_PROXY");
  CHECK(choose_proxy(foreign, core));
  CHECK(passed_over_in(foreign) == std::vector<std::string>{"a/b/c"});
  CHECK(passed_over_in(set_to("http://proxy", "a/b/c")).empty());
}

TEST_CASE("a connection gets the proxy's own authorities where they are named, else the core's") {
  const auto core = *parse_core_url("https://core.example.org");
  tls::Settings trust;
  trust.ca_file = "/core.pem";
  ProxySettings settings = set_to("https://proxy");
  const auto used = [&] { return proxy_for(settings, core, trust)->value(); };
  CHECK(used().trust.ca_file == "/core.pem");
  settings.ca_file = "/proxy.pem";
  CHECK(used().trust.ca_file == "/proxy.pem");
  CHECK(used().trust.ca_file_setting == "proxy.ca_file");
}

TEST_CASE("what is wrong about a proxy never means directly") {
  const auto core = *parse_core_url("https://core.example.org");
  const auto directly = proxy_for(set_to("none"), core, {});
  REQUIRE(directly);
  CHECK_FALSE(directly->has_value());
  for (const char* const wrong : {"socks5://proxy", "http://user:geheim@proxy", "http://"}) {
    const auto way = proxy_for(set_to(wrong), core, {});
    INFO(wrong);
    REQUIRE_FALSE(way);
    CHECK(way.error().code == ErrorCode::invalid_input);
    CHECK_FALSE(contains(way.error().message, "geheim"));
  }
}

TEST_CASE("who we are, and which key the core has, is kept from the proxy") {
  const CoreAddress core = *parse_core_url("https://core.example.org");
  tls::Settings trust;
  trust.client = std::make_shared<const tls::ClientCertificate>();
  trust.pins.emplace_back();
  for (const std::string file : {"", "/proxy.pem"}) {
    ProxySettings settings = set_to("https://proxy:3129");
    settings.ca_file = file;
    const auto use = proxy_for(settings, core, trust);
    REQUIRE(use);
    REQUIRE(*use);
    CHECK((*use)->trust.client == nullptr);
    CHECK((*use)->trust.pins.empty());
  }
}

TEST_CASE("a wrong proxy is no error where none would be used, a password in it is") {
  const CoreAddress core = *parse_core_url("https://core.example.org");
  const std::string list = "environment NO_PROXY";
  const ProxySettings wrong = set_to("socks5://proxy:1080", "core.example.org", list);
  REQUIRE(choose_proxy(wrong, core));
  CHECK_FALSE(choose_proxy(wrong, core)->proxy);
  CHECK(choose_proxy(wrong, *parse_core_url("https://127.0.0.1:1")));
  CHECK_FALSE(choose_proxy(wrong, *parse_core_url("https://other.example.org")));
  CHECK_FALSE(choose_proxy(set_to("http://user:geheim@proxy:1", "core.example.org", list), core));
  CHECK_FALSE(choose_proxy(set_to("socks5://u:geheim@proxy:1", "core.example.org", list), core));
}

TEST_CASE("entries that are none are left out of what is kept of a list") {
  CHECK(known_bypass_entries("a.example, not/one 10.0.0.0/8\n*") == "a.example,10.0.0.0/8,*");
  CHECK(known_bypass_entries("").empty());
}

TEST_CASE("user and password of a proxy come from one line of a file that only its owner reads") {
  const auto [text, encoded] =
      GENERATE(table<std::string, std::string>({{"user:password", "dXNlcjpwYXNzd29yZA=="},
                                                {"user:pass:word\n", "dXNlcjpwYXNzOndvcmQ="},
                                                {"user:\r\n", "dXNlcjo="},
                                                {"us er:p\xc3\xa4ss", "dXMgZXI6cMOkc3M="}}));
  const TempDir directory;
  const std::string file = (directory.path() / "credentials").string();
  REQUIRE(tls::write_private_file(file, text));
  const auto read = read_proxy_credentials(file, "proxy.credentials_file");
  REQUIRE(read);
  CHECK(read->reveal() == encoded);
  ::chmod(file.c_str(), 0644);
  const auto open = read_proxy_credentials(file, "proxy.credentials_file");
  REQUIRE_FALSE(open);
  CHECK(name_of(open.error().code) == "not_permitted");
  CHECK(contains(open.error().message, "chmod 600"));
  CHECK(read_proxy_credentials("", "nobody")->empty());
}

TEST_CASE("a file of credentials that holds something else is named, and never shown") {
  const std::string text =
      GENERATE(as<std::string>(), "", "geheim", ":geheim", "user:geheim\nmore\n", "user:ge\x01heim",
               "user:" + std::string(2'000, 'g'));
  const auto wrong = basic_credentials(text, "proxy.credentials_file: file /x");
  REQUIRE_FALSE(wrong);
  CHECK(name_of(wrong.error().code) == "invalid_input");
  CHECK(contains(wrong.error().message, "proxy.credentials_file: file /x"));
  CHECK(contains(wrong.error().message, "USER:PASSWORD"));
  CHECK_FALSE(contains(wrong.error().message, "geheim"));
}
