#include "tls/authority_file.hpp"

#include "tests/devcore/temporary_certificate.hpp"
#include "tests/support/temp_dir.hpp"
#include "tls/client_context.hpp"

#include <catch2/catch.hpp>
#include <cstdio>

using namespace satellite;
using namespace satellite::tls;
using satellite::tests::TempDir;

namespace {

std::string some_authority() {
  return TemporaryAuthority::create()->certificate_pem();
}

}  // namespace

TEST_CASE("a changed authority file is read once per change, and a broken one leaves the old") {
  const TempDir directory;
  const auto put = [&](const std::string& text) {
    const std::string next = directory.write("next", text);
    const std::string path = (directory.path() / "ca.pem").string();
    REQUIRE(std::rename(next.c_str(), path.c_str()) == 0);
    return path;
  };
  const std::string first = some_authority(), second = some_authority();
  AuthorityFile file(put(first));
  CHECK(file.refresh().value() == true);
  CHECK(file.refresh().value() == false);
  put(first + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  CHECK(file.refresh().error().code == ErrorCode::invalid_input);
  // Told once, and what was good before still counts.
  CHECK(file.refresh().value() == false);
  CHECK(file.settings().ca_pem == first);
  CHECK(make_client_context(file.settings()));
  REQUIRE(std::remove(file.path().c_str()) == 0);
  CHECK(file.refresh().error().code == ErrorCode::not_found);
  CHECK(make_client_context(file.settings()));
  put(second);
  CHECK(file.refresh().value() == true);
  CHECK(file.settings().ca_pem == second);
  put(second);
  CHECK(file.refresh().value() == false);
}
