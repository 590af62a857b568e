#include "tests/unit/agent/connection/link_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <exception>
#include <optional>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;
using boost::asio::ip::tcp;
using devcore::ConnectionPlan;
using devcore::Misbehaviour;

namespace {

/// The code and step of a failed attempt; the message is shown when a check fails.
void check_failed(const ConnectAttempt& attempt, ConnectStage stage, ErrorCode code) {
  REQUIRE_FALSE(attempt.link);
  INFO(attempt.link.error().message);
  CHECK(name_of(attempt.stage) == name_of(stage));
  CHECK(name_of(attempt.link.error().code) == name_of(code));
}

std::string with_host(const devcore::DevCore& core, const std::string& host) {
  return "https://" + host + ':' + std::to_string(core.port());
}

}  // namespace

TEST_CASE("a core whose certificate is signed by the own authority is reached over TLS 1.3") {
  boost::asio::io_context context;
  const auto core = start_core();
  const ConnectAttempt attempt = connect(context, {core->url(), core->ca_pem()});
  REQUIRE(attempt.link);
  CHECK(attempt.facts.tls_version == "TLSv1.3");
  CHECK_FALSE(attempt.facts.cipher.empty());
  CHECK(attempt.facts.peer == "127.0.0.1:" + std::to_string(core->port()));
}

TEST_CASE("a core on this host is reached without TLS when the URL says so") {
  boost::asio::io_context context;
  devcore::Settings settings = core_settings();
  settings.transport = devcore::Transport::plain;
  const auto core = start_core(std::move(settings));
  CHECK(authenticated_link(context, *core) != nullptr);
  const std::string by_name = "http://localhost:" + std::to_string(core->port());
  const ConnectAttempt attempt = connect(context, {by_name, ""});
  CHECK(attempt.link);
  CHECK(attempt.facts.tls_version.empty());
}

TEST_CASE("a certificate of an unknown authority is refused with issuer, fingerprint and remedy") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto other = tls::TemporaryAuthority::create();
  const auto attempt = connect(context, {core->url(), other->certificate_pem()});
  check_failed(attempt, ConnectStage::tls, ErrorCode::not_permitted);
  const std::string message = attempt.link.error().message;
  CHECK(contains(message, "issuer seen: \"CN=temporary authority "));
  CHECK(contains(message, "SHA-256 "));
  CHECK(contains(message, "tls.ca_file"));
  CHECK(core->ledger().counters().upgrades == 0);
}

TEST_CASE(
    "without an own authority only the system's store counts, and it does not know this one") {
  boost::asio::io_context context;
  const auto core = start_core();
  check_failed(connect(context, {core->url(), ""}), ConnectStage::tls, ErrorCode::not_permitted);
}

TEST_CASE("the name in the URL must be one that the certificate is for") {
  boost::asio::io_context context;
  devcore::Settings settings = core_settings();
  settings.certificate_request.names = GENERATE(
      std::vector<std::string>{"localhost"}, std::vector<std::string>{"localhost", "127.0.0.2"},
      std::vector<std::string>{"localhost", "core.example.org", "*.example.org"});
  const auto core = start_core(std::move(settings));
  const auto attempt = connect(context, {with_host(*core, "127.0.0.1"), core->ca_pem()});
  check_failed(attempt, ConnectStage::tls, ErrorCode::not_permitted);
  CHECK(contains(attempt.link.error().message, "not for 127.0.0.1 but for localhost"));
  CHECK(connect(context, {with_host(*core, "localhost"), core->ca_pem()}).link);
}

TEST_CASE("an address in the URL is matched against the addresses of the certificate") {
  boost::asio::io_context context;
  devcore::Settings settings = core_settings();
  settings.certificate_request.names = {"core.example.org", "127.0.0.1"};
  const auto core = start_core(std::move(settings));
  CHECK(connect(context, {with_host(*core, "127.0.0.1"), core->ca_pem()}).link);
  check_failed(connect(context, {with_host(*core, "localhost"), core->ca_pem()}), ConnectStage::tls,
               ErrorCode::not_permitted);
}

TEST_CASE("an address written as a DNS name in the certificate does not count as an address") {
  // The wildcard would match if an address were compared as a name.
  boost::asio::io_context context;
  devcore::Settings settings = core_settings();
  settings.certificate_request.names = {"localhost", "*.0.0.1"};
  const auto core = start_core(std::move(settings));
  check_failed(connect(context, {with_host(*core, "127.0.0.1"), core->ca_pem()}), ConnectStage::tls,
               ErrorCode::not_permitted);
  CHECK(connect(context, {with_host(*core, "localhost"), core->ca_pem()}).link);
}

TEST_CASE("a certificate outside its time is refused, and the local clock is named") {
  boost::asio::io_context context;
  devcore::Settings settings = core_settings();
  const bool is_expired = GENERATE(true, false);
  settings.certificate_request.valid_from = is_expired ? -7200s : 3600s;
  settings.certificate_request.valid_until = is_expired ? -60s : 7200s;
  const auto core = start_core(std::move(settings));
  const auto attempt = connect(context, {core->url(), core->ca_pem()});
  check_failed(attempt, ConnectStage::tls, ErrorCode::not_permitted);
  CHECK(contains(attempt.link.error().message, is_expired ? "expired at" : "valid only from"));
  CHECK(contains(attempt.link.error().message, "the local clock says 20"));
}

TEST_CASE(
    "a certificate that is made for clients is refused, and told to be one for another purpose") {
  boost::asio::io_context context;
  devcore::Settings settings = core_settings();
  settings.certificate_request.extended_key_usage = "clientAuth";
  const auto core = start_core(std::move(settings));
  const auto attempt = connect(context, {core->url(), core->ca_pem()});
  check_failed(attempt, ConnectStage::tls, ErrorCode::not_permitted);
  CHECK(contains(attempt.link.error().message, "purpose"));
}

TEST_CASE("a core that offers nothing newer than TLS 1.1 is refused") {
  boost::asio::io_context context;
  devcore::Settings settings = core_settings();
  settings.only_old_tls = true;
  const auto core = start_core(std::move(settings));
  check_failed(connect(context, {core->url(), core->ca_pem()}), ConnectStage::tls,
               ErrorCode::unsupported);
}

TEST_CASE("plain HTTP on the TLS port, and TLS on the plain port, are recognised") {
  boost::asio::io_context context;
  const auto tls_core = start_core();
  devcore::Settings settings = core_settings();
  settings.transport = devcore::Transport::plain;
  const auto plain_core = start_core(std::move(settings));
  const auto to_plain = connect(context, {with_host(*plain_core, "127.0.0.1"), tls_core->ca_pem()});
  check_failed(to_plain, ConnectStage::tls, ErrorCode::unsupported);
  CHECK(contains(to_plain.link.error().message, "does not speak TLS"));

  const std::string wrong = "http://127.0.0.1:" + std::to_string(tls_core->port());
  const auto to_tls = connect(context, {wrong, ""});
  REQUIRE_FALSE(to_tls.link);
  INFO(to_tls.link.error().message);
  CHECK(name_of(to_tls.stage) == "upgrade");
}

TEST_CASE("a broken authority file is named before anything is connected") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto attempt = connect(context, {core->url(), "no certificate\n"});
  check_failed(attempt, ConnectStage::trust, ErrorCode::invalid_input);
  CHECK(contains(attempt.link.error().message, "tls.ca_file"));
  CHECK(core->ledger().counters().connections == 0);
}

TEST_CASE("an answer that is not 101 is told with its status, and Retry-After is handed on") {
  using Headers = std::map<std::string, std::string>;
  const auto [status, headers, code, wait] = GENERATE(table<unsigned, Headers, ErrorCode, int>({
      {503, {{"Retry-After", "7"}}, ErrorCode::unavailable, 7},
      {429, {{"Retry-After", "86400"}}, ErrorCode::unavailable, 900},
      {503, {}, ErrorCode::unavailable, -1},
      {503, {{"Retry-After", "whenever"}}, ErrorCode::unavailable, -1},
      {500, {{"Retry-After", "7"}}, ErrorCode::unavailable, -1},
      {404, {}, ErrorCode::not_found, -1},
      {401, {}, ErrorCode::not_permitted, -1},
      {302, {{"Location", "https://elsewhere.example.org/"}}, ErrorCode::not_permitted, -1},
      {200, {}, ErrorCode::unavailable, -1},
  }));
  boost::asio::io_context context;
  devcore::Settings settings = core_settings();
  settings.plans.push_back({Misbehaviour::http_status, status, headers});
  const auto core = start_core(std::move(settings));
  const auto attempt = connect(context, {core->url(), core->ca_pem()});
  check_failed(attempt, ConnectStage::upgrade, code);
  CHECK(contains(attempt.link.error().message, "HTTP " + std::to_string(status)));
  CHECK(attempt.retry_after.has_value() == (wait >= 0));
  if (wait >= 0) CHECK(attempt.retry_after->count() == wait);
  // The same core, without the misbehaviour, takes the next connection.
  CHECK(connect(context, {core->url(), core->ca_pem()}).link);
}

TEST_CASE("a path prefix of the core URL arrives at the core") {
  boost::asio::io_context context;
  devcore::Settings settings = core_settings();
  settings.path = "/prefix/api/ws/satellite";
  const auto core = start_core(std::move(settings));
  CHECK(connect(context, {core->url() + "/prefix/", core->ca_pem()}).link);
  check_failed(connect(context, {core->url(), core->ca_pem()}), ConnectStage::upgrade,
               ErrorCode::not_found);
}

TEST_CASE("the deadline holds at every step against a core that stalls or drips") {
  const auto [misbehaviour, stage] = GENERATE(table<Misbehaviour, ConnectStage>({
      {Misbehaviour::stall_tls, ConnectStage::tls},
      {Misbehaviour::drip_tls, ConnectStage::tls},
      {Misbehaviour::stall_upgrade, ConnectStage::upgrade},
  }));
  boost::asio::io_context context;
  devcore::Settings settings = core_settings();
  settings.plans.push_back({misbehaviour, 0, {}});
  const auto core = start_core(std::move(settings));
  const auto begun = std::chrono::steady_clock::now();
  const auto attempt = connect(context, {core->url(), core->ca_pem(), 3s, {}});
  const auto took = std::chrono::steady_clock::now() - begun;
  check_failed(attempt, stage, ErrorCode::timed_out);
  CHECK(took >= 3s);
  CHECK(took < 30s);
}

TEST_CASE("a core that closes at once is unavailable, not an error of ours") {
  boost::asio::io_context context;
  devcore::Settings settings = core_settings();
  settings.plans.push_back({Misbehaviour::close_at_connect, 0, {}});
  const auto core = start_core(std::move(settings));
  check_failed(connect(context, {core->url(), core->ca_pem()}), ConnectStage::tls,
               ErrorCode::unavailable);
}

TEST_CASE("a connection that is reset at any moment is a failed attempt, and no more") {
  // Before which of its handlers.
  for (int moment = 0; moment < 40; ++moment) {
    boost::asio::io_context context;
    tcp::acceptor acceptor(context, {boost::asio::ip::address_v4::loopback(), 0});
    acceptor.non_blocking(true);
    const auto address =
        parse_core_url("https://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()));
    std::optional<ConnectAttempt> attempt;
    std::exception_ptr thrown;
    auto connecting =
        connect_websocket(*address, {}, std::chrono::steady_clock::now() + std::chrono::minutes(2));
    boost::asio::co_spawn(context, keep(std::move(connecting), attempt),
                          [&thrown](std::exception_ptr what) { thrown = what; });
    for (int handler = 0; !attempt && !thrown && handler < 10'000; ++handler) {
      boost::system::error_code none_yet;
      if (handler >= moment) {
        tcp::socket peer = acceptor.accept(none_yet);
        if (!none_yet) peer.set_option(boost::asio::socket_base::linger(true, 0));
        peer.close(none_yet);  // the destructor would not reset it
      }
      context.run_one_for(std::chrono::milliseconds(10));
    }
    INFO("before handler " << moment);
    REQUIRE_FALSE(thrown);
    REQUIRE(attempt);
    REQUIRE_FALSE(attempt->link);
    INFO(attempt->link.error().message);
    CHECK(name_of(attempt->link.error().code) == "unavailable");
  }
}

TEST_CASE("nobody listening is told with the address at once") {
  boost::asio::io_context context;
  std::string url;
  {
    const auto core = start_core();
    url = core->url();
  }
  const auto attempt = connect(context, {url, ""});
  check_failed(attempt, ConnectStage::tcp, ErrorCode::unavailable);
  CHECK(contains(attempt.link.error().message, "127.0.0.1:"));
}

TEST_CASE("an attempt that is cancelled ends at once, whatever the core does") {
  const auto misbehaviour = GENERATE(Misbehaviour::stall_tls, Misbehaviour::stall_upgrade);
  boost::asio::io_context context;
  devcore::Settings settings = core_settings();
  settings.plans.push_back({misbehaviour, 0, {}});
  const auto core = start_core(std::move(settings));
  const TempDir directory;
  LinkSettings link_settings;
  link_settings.tls.ca_file = directory.write("ca.pem", core->ca_pem());
  const auto begun = std::chrono::steady_clock::now();
  bool ended = false;
  std::optional<ConnectAttempt> attempt;
  boost::asio::cancellation_signal stop;
  auto connecting = connect_websocket(*parse_core_url(core->url()), link_settings, begun + 60s);
  boost::asio::co_spawn(context, keep(std::move(connecting), attempt),
                        boost::asio::bind_cancellation_slot(
                            stop.slot(), [&ended](std::exception_ptr) { ended = true; }));
  boost::asio::steady_timer timer(context, 100ms);
  timer.async_wait([&](auto) { stop.emit(boost::asio::cancellation_type::terminal); });
  context.run_for(40s);
  CHECK(ended);
  CHECK(std::chrono::steady_clock::now() - begun < 30s);  // its deadline is after 60
}

TEST_CASE("an upgrade with an extension or subprotocol that nobody offered is refused") {
  const auto [header, value] = GENERATE(table<std::string, std::string>(
      {{"Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover"},
       {"Sec-WebSocket-Protocol", "chat"}}));
  boost::asio::io_context context;
  devcore::Settings settings = core_settings();
  settings.plans.push_back({Misbehaviour::more_headers, 0, {{header, value}}});
  // The positive control: a header that changes nothing.
  settings.plans.push_back({Misbehaviour::more_headers, 0, {{"X-Proxy", "here"}}});
  const auto core = start_core(std::move(settings));
  const ConnectAttempt refused = connect(context, {core->url(), core->ca_pem()});
  check_failed(refused, ConnectStage::upgrade, ErrorCode::unsupported);
  CHECK(contains(refused.link.error().message, header));
  CHECK(connect(context, {core->url(), core->ca_pem()}).link);
}
