// A core that demands client certificates, and pins on its own key.
#include "tests/unit/agent/connection/link_fixture.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;

namespace {

/// The authority that the core asks of its satellites, and one that it does not know.
class Demanding {
 public:
  Demanding() {
    devcore::Settings settings = core_settings();
    settings.client_authority = authority_->certificate_pem();
    core_ = start_core(std::move(settings));
  }
  tls::CertificateRequest request() const {
    tls::CertificateRequest asked;
    asked.names = {"satellite-1"};
    asked.extended_key_usage = "clientAuth";
    return asked;
  }
  Attempt shown(const tls::CertifiedKey& pair) const {
    Attempt attempt{core_->url(), core_->ca_pem()};
    attempt.tls.client = std::make_shared<const tls::ClientCertificate>(
        tls::ClientCertificate{pair.certificate_pem, Secret(pair.key_pem), "c", "k"});
    return attempt;
  }
  const tls::TemporaryAuthority& authority() const { return *authority_; }
  const devcore::DevCore& core() const { return *core_; }

 private:
  Result<tls::TemporaryAuthority> authority_ = tls::TemporaryAuthority::create();
  std::unique_ptr<devcore::DevCore> core_;
};

/// The connection is refused for its certificate; what the core saw of it is nothing.
void check_turned_away(const ConnectAttempt& attempt, const std::string& words) {
  REQUIRE_FALSE(attempt.link);
  INFO(name_of(attempt.stage) << ": " << attempt.link.error().message);
  CHECK(contains(attempt.link.error().message, words));
}

}  // namespace

TEST_CASE("a core that demands a client certificate takes ours, and its pin with it") {
  boost::asio::io_context context;
  const Demanding demanding;
  const auto pair = *demanding.authority().sign(demanding.request());
  ConnectAttempt made = connect(context, demanding.shown(pair));
  INFO((made.link ? "" : made.link.error().message));
  REQUIRE(made.link);
  REQUIRE(run(context, (*made.link)->write(authenticate_frame)));
  const auto answer = run(context, (*made.link)->read());
  REQUIRE(answer);
  CHECK(contains(*answer, "\"authenticated\""));
}

TEST_CASE(
    "without a client certificate the error says that one is wanted and which setting names it") {
  boost::asio::io_context context;
  const Demanding demanding;
  const auto attempt = connect(context, {demanding.core().url(), demanding.core().ca_pem()});
  check_turned_away(attempt, "client certificate");
  CHECK(contains(attempt.link.error().message, "tls.certificate_file"));
  CHECK(demanding.core().ledger().counters().upgrades == 0);
}

TEST_CASE("a client certificate that the core refuses is described in the error") {
  boost::asio::io_context context;
  const Demanding demanding;
  const auto foreign = tls::TemporaryAuthority::create();
  tls::CertificateRequest request = demanding.request();
  const int kind = GENERATE(0, 1, 2, 3);
  if (kind == 1) {
    request.valid_from = -7200s;
    request.valid_until = -60s;
  } else if (kind == 2) {
    request.valid_from = 3600s;
    request.valid_until = 7200s;
  } else if (kind == 3) {
    request.extended_key_usage = "serverAuth";
  }
  const auto pair = kind == 0 ? *foreign->sign(request) : *demanding.authority().sign(request);
  const auto attempt = connect(context, demanding.shown(pair));
  check_turned_away(attempt, "it was shown CN=satellite-1");
  if (kind == 1) CHECK(contains(attempt.link.error().message, "which is over by the local clock"));
  if (kind == 2) CHECK(contains(attempt.link.error().message, "and not before"));
  CHECK(demanding.core().ledger().counters().upgrades == 0);
}

TEST_CASE("a pair whose key belongs to another certificate stops before anything is connected") {
  boost::asio::io_context context;
  const Demanding demanding;
  const auto one = *demanding.authority().sign(demanding.request());
  const auto other = *demanding.authority().sign(demanding.request());
  const auto attempt = connect(context, demanding.shown({one.certificate_pem, other.key_pem}));
  check_turned_away(attempt, "another certificate");
  CHECK(name_of(attempt.stage) == "trust");
  CHECK(demanding.core().ledger().counters().connections == 0);
}

TEST_CASE("a pin that is none of the core's is told with the one that was seen, which then holds") {
  boost::asio::io_context context;
  const auto core = start_core();
  Attempt attempt{core->url(), core->ca_pem()};
  attempt.tls.pins = {tls::Pin{1}};
  const auto refused = connect(context, attempt);
  REQUIRE_FALSE(refused.link);
  const std::string message = refused.link.error().message;
  INFO(message);
  CHECK(name_of(refused.stage) == "tls");
  CHECK(name_of(refused.link.error().code) == "not_permitted");
  CHECK(core->ledger().counters().upgrades == 0);
  const auto seen = message.find("seen: sha256/");
  REQUIRE(seen != std::string::npos);
  const auto pin = tls::parse_pin(message.substr(seen + 6, 51));
  REQUIRE(pin);
  // Any of several is enough, which is how a key is replaced.
  attempt.tls.pins = {tls::Pin{1}, *pin};
  CHECK(connect(context, attempt).link);
}

TEST_CASE("a pin does not stand in for the rest of verification") {
  boost::asio::io_context context;
  const auto core = start_core();
  Attempt attempt{core->url(), core->ca_pem()};
  attempt.tls.pins = {tls::Pin{1}};
  const std::string message = connect(context, attempt).link.error().message;
  const auto pin = tls::parse_pin(message.substr(message.find("seen: sha256/") + 6, 51));
  REQUIRE(pin);
  attempt.tls.pins = {*pin};
  attempt.ca_pem = tls::TemporaryAuthority::create()->certificate_pem();
  const auto unknown = connect(context, attempt);
  REQUIRE_FALSE(unknown.link);
  CHECK(contains(unknown.link.error().message, "not trusted here"));
}
