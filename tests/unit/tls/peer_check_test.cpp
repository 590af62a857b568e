#include "tls/peer_check.hpp"
#include "tests/devcore/temporary_certificate.hpp"

#include "tests/support/temp_dir.hpp"

#include <openssl/x509_vfy.h>
#include <sys/stat.h>
#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::tls;

namespace {

RefusedCertificate refused(int code) {
  RefusedCertificate certificate;
  certificate.verify_code = code;
  certificate.issuer = "CN=ACME Proxy CA";
  certificate.sha256 = "3f:9a";
  certificate.names = {"proxy.example.org", "192.0.2.1"};
  certificate.not_before = "2030-01-01T00:00:00Z";
  certificate.not_after = "2031-01-01T00:00:00Z";
  return certificate;
}

}  // namespace

TEST_CASE("each reason to refuse a certificate names what a person needs to know") {
  const auto now = std::chrono::system_clock::from_time_t(784'111'777);
  const auto [code, part] = GENERATE(table<int, std::string>({
      {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "the file that tls.ca_file names"},
      {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "the file that tls.ca_file names"},
      {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "issuer seen: \"CN=ACME Proxy CA\""},
      {X509_V_ERR_HOSTNAME_MISMATCH,
       "not for core.example.org but for proxy.example.org, 192.0.2.1"},
      {X509_V_ERR_IP_ADDRESS_MISMATCH, "but for proxy.example.org"},
      {X509_V_ERR_CERT_HAS_EXPIRED, "expired at 2031-01-01T00:00:00Z"},
      {X509_V_ERR_CERT_HAS_EXPIRED, "the local clock says 1994-11-06T08:49:37Z"},
      {X509_V_ERR_CERT_NOT_YET_VALID, "valid only from 2030-01-01T00:00:00Z"},
      {X509_V_ERR_EE_KEY_TOO_SMALL, "is refused: "},
  }));
  const Error error = refusal_error(refused(code), "core.example.org", now);
  CAPTURE(error.message);
  CHECK(error.code == ErrorCode::not_permitted);
  CHECK(error.message.find(part) != std::string::npos);
  CHECK(error.message.find("SHA-256 3f:9a") != std::string::npos);
}

TEST_CASE("a temporary authority signs for names and addresses and nothing that smuggles more") {
  const auto authority = TemporaryAuthority::create();
  REQUIRE(authority);
  CertificateRequest request;
  request.names = {"core.example.org", "::1", "127.0.0.1"};
  const auto signed_key = authority->sign(request);
  REQUIRE(signed_key);
  CHECK(signed_key->certificate_pem.find("-----BEGIN CERTIFICATE-----") == 0);
  CHECK(signed_key->key_pem.find("-----BEGIN PRIVATE KEY-----") == 0);
  for (const std::string name : {"", "a,DNS:b", "a b", "a\nb"}) {
    request.names = {name};
    CHECK_FALSE(authority->sign(request));
  }
  request.names = {};
  CHECK_FALSE(authority->sign(request));
}

TEST_CASE("a private file is readable for its owner only, whatever stood there before") {
  const satellite::tests::TempDir directory;
  const std::string path = directory.write("key.pem", "old and open");
  REQUIRE(::chmod(path.c_str(), 0644) == 0);
  REQUIRE(write_private_file(path, "secret"));
  struct stat facts {};
  REQUIRE(::stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  CHECK(facts.st_size == 6);
}
