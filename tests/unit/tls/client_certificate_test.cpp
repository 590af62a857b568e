#include "tls/client_certificate.hpp"

#include "tests/devcore/temporary_certificate.hpp"
#include "tls/client_context.hpp"
#include "tls/openssl/handles.hpp"

#include <openssl/pem.h>
#include <catch2/catch.hpp>
#include <memory>

using namespace satellite;
using namespace satellite::tls;
using namespace std::chrono_literals;

namespace {

ClientCertificate client_of(const CertifiedKey& pair) {
  return {pair.certificate_pem, Secret(pair.key_pem), "tls.certificate_file: file /c",
          "tls.key_file: file /k"};
}

CertifiedKey signed_pair(const TemporaryAuthority& authority) {
  CertificateRequest request;
  request.names = {"satellite-1"};
  request.extended_key_usage = "clientAuth";
  request.valid_until = 100h;
  return *authority.sign(request);
}

/// The same key behind a passphrase.
std::string encrypted(const std::string& key_pem) {
  const BioPtr in(BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())));
  const KeyPtr key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  const BioPtr out(BIO_new(BIO_s_mem()));
  const std::string phrase = "phrase";
  PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), EVP_aes_256_cbc(), phrase.data(),
                                static_cast<int>(phrase.size()), nullptr, nullptr);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out.get(), &bytes);
  return std::string(bytes, static_cast<std::size_t>(size));
}

}  // namespace

TEST_CASE("a client certificate is described with its subject, issuer and the days it has left") {
  const auto authority = TemporaryAuthority::create();
  const auto facts = describe(client_of(signed_pair(*authority)));
  REQUIRE(facts);
  CHECK(facts->subject == "CN=satellite-1");
  CHECK(facts->issuer.starts_with("CN=temporary authority "));
  CHECK(in_words(*facts, facts->ends - 1h).find("(0 days left)") != std::string::npos);
  CHECK(in_words(*facts, facts->ends - 73h).find("(3 days left)") != std::string::npos);
  CHECK(in_words(*facts, facts->ends).find("over by the local clock") != std::string::npos);
  CHECK(in_words(*facts, facts->begins - 1h).find("and not before") != std::string::npos);
  Settings settings;
  settings.client = std::make_shared<const ClientCertificate>(client_of(signed_pair(*authority)));
  CHECK(make_client_context(settings));
}

TEST_CASE("a pair that is none is refused with the file at fault, and no key is ever shown") {
  const auto authority = TemporaryAuthority::create();
  const CertifiedKey good = signed_pair(*authority), other = signed_pair(*authority);
  const auto [pair, file, words] = GENERATE_COPY(table<CertifiedKey, std::string, std::string>(
      {{{"hello", good.key_pem}, "/c", "no certificate in it"},
       {{"", good.key_pem}, "/c", "no certificate in it"},
       {{good.key_pem, good.key_pem}, "/c", "no certificate in it"},
       {{good.certificate_pem, "hello"}, "/k", "no private key in it"},
       {{good.certificate_pem, ""}, "/k", "no private key in it"},
       {{good.certificate_pem, good.certificate_pem}, "/k", "no private key in it"},
       {{good.certificate_pem, encrypted(good.key_pem)}, "/k", "passphrase"},
       {{good.certificate_pem, other.key_pem}, "/k", "another certificate"}}));
  const auto facts = describe(client_of(pair));
  REQUIRE_FALSE(facts);
  INFO(facts.error().message);
  CHECK(name_of(facts.error().code) == "invalid_input");
  CHECK(facts.error().message.find(file) != std::string::npos);
  CHECK(facts.error().message.find(words) != std::string::npos);
  CHECK(facts.error().message.find("PRIVATE KEY-----M") == std::string::npos);
}

TEST_CASE("certificates of authorities in between follow the own one in its file") {
  const auto authority = TemporaryAuthority::create();
  CertifiedKey pair = signed_pair(*authority);
  pair.certificate_pem += authority->certificate_pem();
  CHECK(describe(client_of(pair))->subject == "CN=satellite-1");
  Settings settings;
  settings.client = std::make_shared<const ClientCertificate>(client_of(pair));
  CHECK(make_client_context(settings));
}
