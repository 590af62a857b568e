// A real core behind a real proxy on loopback, which does what proxies do to people.
#include "tests/support/connect_proxy.hpp"
#include "tests/unit/agent/connection/link_fixture.hpp"

#include <sys/stat.h>
#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;
using Kind = ProxyConduct::Kind;

namespace {

constexpr const char* core_name = "core.example.org";

/// A core that nobody finds without the proxy: its name exists in its certificate alone.
devcore::Settings hidden_core() {
  devcore::Settings settings = core_settings();
  settings.certificate_request.names = {core_name, "2001:db8::1"};
  return settings;
}

ProxyUse used(const ConnectProxy& proxy) {
  ProxyUse use;
  use.address = *parse_proxy_url(proxy.url());
  return use;
}

Attempt through(const ConnectProxy& proxy, const devcore::DevCore& core) {
  Attempt attempt{std::string("https://") + core_name, core.ca_pem()};
  attempt.proxy = used(proxy);
  return attempt;
}

void check_refused(const ConnectAttempt& attempt, ConnectStage stage, ErrorCode code,
                   const std::string& words) {
  REQUIRE_FALSE(attempt.link);
  INFO(attempt.link.error().message);
  CHECK(name_of(attempt.stage) == name_of(stage));
  CHECK(name_of(attempt.link.error().code) == name_of(code));
  CHECK(contains(attempt.link.error().message, words));
}

}  // namespace

TEST_CASE("a core is reached through a proxy, which sees its name and a user, and no more") {
  boost::asio::io_context context;
  const auto core = start_core(hidden_core());
  const ConnectProxy proxy({core->port(), "127.0.0.1", {}, "dXNlcjpwYXNzd29yZA=="});
  const TempDir directory;
  const std::string file = (directory.path() / "credentials").string();
  REQUIRE(tls::write_private_file(file, "user:password\n"));
  Attempt attempt = through(proxy, *core);
  attempt.proxy->credentials_file = file;
  const ConnectAttempt made = connect(context, attempt);
  INFO((made.link ? "" : made.link.error().message));
  REQUIRE(made.link);
  CHECK(made.facts.proxy == proxy.url());
  CHECK(made.facts.peer == "127.0.0.1:" + std::to_string(proxy.port()));
  CHECK(made.facts.tls_version == "TLSv1.3");
  const auto written = run(context, (*made.link)->write(authenticate_frame));
  REQUIRE(written);
  const auto answer = run(context, (*made.link)->read());
  REQUIRE(answer);
  CHECK(contains(*answer, "\"authenticated\""));
  REQUIRE(proxy.questions().size() == 1);
  CHECK(proxy.questions().front() ==
        "CONNECT core.example.org:443 HTTP/1.1\r\nHost: core.example.org:443\r\n"
        "User-Agent: checkstack-satellite\r\n"
        "Proxy-Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n\r\n");
}

TEST_CASE("a proxy at an IPv6 address leads to a core at an IPv6 address") {
  boost::asio::io_context context;
  const auto core = start_core(hidden_core());
  const ConnectProxy proxy({core->port(), "::1"});
  Attempt attempt = through(proxy, *core);
  attempt.url = "https://[2001:db8::1]:8443";
  const ConnectAttempt made = connect(context, attempt);
  INFO((made.link ? "" : made.link.error().message));
  REQUIRE(made.link);
  CHECK(contains(proxy.questions().front(), "CONNECT [2001:db8::1]:8443 HTTP/1.1\r\n"));
}

TEST_CASE("a refusal of the user that was shown is told apart from one of nobody") {
  boost::asio::io_context context;
  const auto core = start_core(hidden_core());
  const ConnectProxy proxy({core->port(), "127.0.0.1", {}, "dXNlcjpwYXNzd29yZA=="});
  const TempDir directory;
  Attempt attempt = through(proxy, *core);
  const ConnectAttempt nobody = connect(context, attempt);
  check_refused(nobody, ConnectStage::proxy, ErrorCode::not_permitted, "HTTP 407");
  CHECK_FALSE(nobody.proxy_refused_credentials);
  attempt.proxy->credentials_file = (directory.path() / "credentials").string();
  REQUIRE(tls::write_private_file(attempt.proxy->credentials_file, "user:wrong\n"));
  const ConnectAttempt wrong = connect(context, attempt);
  check_refused(wrong, ConnectStage::proxy, ErrorCode::not_permitted, "HTTP 407");
  CHECK(wrong.proxy_refused_credentials);
}

TEST_CASE("large frames go both ways through TLS within TLS to the proxy") {
  boost::asio::io_context context;
  const auto core = start_core(hidden_core());
  const auto authority = tls::TemporaryAuthority::create();
  const ConnectProxy proxy({core->port(), "127.0.0.1", *authority->sign({})});
  const TempDir directory;
  Attempt attempt = through(proxy, *core);
  attempt.proxy->trust.ca_file = directory.write("proxy.pem", authority->certificate_pem());
  ConnectAttempt made = connect(context, attempt);
  INFO((made.link ? "" : made.link.error().message));
  REQUIRE(made.link);
  auto link = *std::move(made.link);
  REQUIRE(run(context, link->write(authenticate_frame)));
  REQUIRE(run(context, link->read()));
  const std::string frame(3U << 20U, 'x');
  core->push_text(frame);
  const auto got = run(context, link->read());
  REQUIRE(got);
  CHECK(*got == frame);
  REQUIRE(run(context, link->write(frame)));
  const bool arrived = core->ledger().wait(20s, [&frame](const devcore::Ledger& ledger) {
    return ledger.counters_locked().bytes >= frame.size();
  });
  CHECK(arrived);
  run(context, link->close(CloseCode::normal, "done"));
  CHECK(core->wait_until_disconnected());
}

TEST_CASE("the certificate of a proxy is verified like the core's, in words of the proxy") {
  boost::asio::io_context context;
  const auto core = start_core(hidden_core());
  const auto authority = tls::TemporaryAuthority::create();
  const TempDir directory;
  tls::CertificateRequest elsewhere;
  elsewhere.names = {"elsewhere.example.org"};
  const ConnectProxy proxy({core->port(), "127.0.0.1", *authority->sign(elsewhere)});
  Attempt attempt = through(proxy, *core);
  check_refused(connect(context, attempt), ConnectStage::proxy, ErrorCode::not_permitted,
                "proxy.ca_file");
  attempt.proxy->trust.ca_file = directory.write("proxy.pem", authority->certificate_pem());
  const auto refused = connect(context, attempt);
  check_refused(refused, ConnectStage::proxy, ErrorCode::not_permitted,
                "not for 127.0.0.1 but for elsewhere.example.org");
  CHECK(contains(refused.link.error().message, "the proxy's URL"));
  CHECK(contains(refused.link.error().message, proxy.url()));
  CHECK(proxy.questions().empty());
}

TEST_CASE(
    "what a proxy answers instead of a tunnel is told with the proxy, the status and a remedy") {
  struct Row {
    std::string bytes;
    ErrorCode code;
    std::string words;
    int wait = -1;
  };
  const Row row = GENERATE(
      Row{"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\n\r\n",
          ErrorCode::not_permitted, "HTTP 407"},
      Row{"HTTP/1.1 403 Forbidden\r\n\r\n", ErrorCode::not_permitted, "HTTP 403"},
      Row{"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n\r\n<html>no</html>",
          ErrorCode::unavailable, "HTTP 502"},
      Row{"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n", ErrorCode::unavailable, "HTTP 503", 7},
      Row{"HTTP/1.1 302 Found\r\nLocation: https://login.example.org/\r\n\r\n",
          ErrorCode::not_permitted, "redirects are refused"},
      Row{"<html><title>Welcome to our network</title></html>", ErrorCode::unsupported,
          "no HTTP proxy"},
      Row{"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>log in</html>",
          ErrorCode::unsupported, "a page instead of a tunnel"},
      Row{"HTTP/1.1 200 OK\r\nX: " + std::string(30'000, 'x'), ErrorCode::limit_exceeded,
          "does not end"},
      Row{"", ErrorCode::unavailable, "closed the connection"},
      Row{"HTTP/1.1 200 OK\r\n", ErrorCode::unavailable, "closed the connection"});
  boost::asio::io_context context;
  const auto core = start_core(hidden_core());
  ConnectProxy proxy({core->port()});
  proxy.behave({Kind::answer, row.bytes});
  const auto attempt = connect(context, through(proxy, *core));
  check_refused(attempt, ConnectStage::proxy, row.code, row.words);
  CHECK(contains(attempt.link.error().message, "proxy " + proxy.url() + ": "));
  CHECK(attempt.retry_after.value_or(-1s).count() == row.wait);
  // The same way, without the misbehaviour, leads there.
  proxy.behave({});
  CHECK(connect(context, through(proxy, *core)).link);
}

TEST_CASE("a proxy that is silent, or stops in the middle of its answer, is left at the deadline") {
  const std::string bytes =
      GENERATE(as<std::string>(), "", "HTTP/1.1 200 Conn", "HTTP/1.1 200 OK\r\nX: y\r\n");
  boost::asio::io_context context;
  const auto core = start_core(hidden_core());
  ConnectProxy proxy({core->port()});
  proxy.behave({Kind::answer_at_once, bytes});
  Attempt attempt = through(proxy, *core);
  attempt.deadline = 3s;
  const auto begun = std::chrono::steady_clock::now();
  check_refused(connect(context, attempt), ConnectStage::proxy, ErrorCode::timed_out,
                "no answer to CONNECT");
  CHECK(std::chrono::steady_clock::now() - begun < 30s);
}

TEST_CASE("a proxy that speaks no TLS, or only TLS, is not what its URL says") {
  boost::asio::io_context context;
  const auto core = start_core(hidden_core());
  const auto authority = tls::TemporaryAuthority::create();
  const ConnectProxy encrypted({core->port(), "127.0.0.1", *authority->sign({})});
  const ConnectProxy plain({core->port()});
  const auto at = [](const char* scheme, const ConnectProxy& proxy) {
    return *parse_proxy_url(std::string(scheme) + "://127.0.0.1:" + std::to_string(proxy.port()));
  };
  Attempt attempt = through(plain, *core);
  attempt.proxy->address = at("http", encrypted);
  REQUIRE_FALSE(connect(context, attempt).link);
  attempt.proxy->address = at("https", plain);
  attempt.deadline = 2s;
  const auto wrong = connect(context, attempt);
  REQUIRE_FALSE(wrong.link);
  INFO(wrong.link.error().message);
  CHECK(name_of(wrong.stage) == "proxy");
}

TEST_CASE("a proxy that cannot be reached is named in the error of the step that failed") {
  boost::asio::io_context context;
  const auto core = start_core(hidden_core());
  Attempt attempt;
  {
    const ConnectProxy proxy({core->port()});
    attempt = through(proxy, *core);
  }
  check_refused(connect(context, attempt), ConnectStage::tcp, ErrorCode::unavailable,
                "this is the proxy http://127.0.0.1:");
  attempt.proxy->address = *parse_proxy_url("http://proxy.invalid:3128");
  const auto unknown = connect(context, attempt);
  REQUIRE_FALSE(unknown.link);
  CHECK(name_of(unknown.stage) == "dns");
  CHECK(contains(unknown.link.error().message, "this is the proxy http://proxy.invalid:3128"));
}

TEST_CASE("a certificate that is refused behind a proxy is told with the proxy it came through") {
  boost::asio::io_context context;
  const auto core = start_core(hidden_core());
  const ConnectProxy proxy({core->port()});
  const auto other = tls::TemporaryAuthority::create();
  Attempt attempt = through(proxy, *core);
  attempt.ca_pem = other->certificate_pem();
  check_refused(connect(context, attempt), ConnectStage::tls, ErrorCode::not_permitted,
                "seen through the proxy " + proxy.url());
}

TEST_CASE("a file with the proxy's password that others can read is not used") {
  boost::asio::io_context context;
  const auto core = start_core(hidden_core());
  const ConnectProxy proxy({core->port(), "127.0.0.1", {}, "dXNlcjpwYXNzd29yZA=="});
  const TempDir directory;
  Attempt attempt = through(proxy, *core);
  attempt.proxy->credentials_file = directory.write("credentials", "user:password");
  attempt.proxy->credentials_source = "proxy.credentials_file";
  REQUIRE(::chmod(attempt.proxy->credentials_file.c_str(), 0644) == 0);
  check_refused(connect(context, attempt), ConnectStage::proxy, ErrorCode::not_permitted,
                "chmod 600");
  CHECK(proxy.questions().empty());
  attempt.proxy->credentials_file = (directory.path() / "other").string();
  REQUIRE(tls::write_private_file(attempt.proxy->credentials_file, "user:wrong"));
  check_refused(connect(context, attempt), ConnectStage::proxy, ErrorCode::not_permitted,
                "refused user and password of proxy.credentials_file");
}
