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

std::string text_in(const BioPtr& memory) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &bytes);
  return std::string(bytes, static_cast<std::size_t>(size));
}

/// The same key behind a passphrase.
std::string encrypted(const std::string& key_pem) {
  const BioPtr in(BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())));
  const KeyPtr key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  const BioPtr out(BIO_new(BIO_s_mem()));
  const std::string phrase = "phrase";
  PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), EVP_aes_256_cbc(), phrase.data(),
                                static_cast<int>(phrase.size()), nullptr, nullptr);
  return text_in(out);
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

TEST_CASE("a certificate without an end, which RFC 5280 writes as the year 9999, is not over") {
  const auto authority = TemporaryAuthority::create();
  CertificateRequest request;
  const auto now = std::chrono::system_clock::now();
  // 30 December 9999, in seconds since 1970.
  const std::chrono::seconds end(253'402'214'400);
  request.valid_until =
      end - std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  const auto facts = describe(client_of(*authority->sign(request)));
  REQUIRE(facts);
  INFO(in_words(*facts, now));
  CHECK(facts->ends > now);
  CHECK(in_words(*facts, now).find("9999") != std::string::npos);
  CHECK(in_words(*facts, now).find("days left") != std::string::npos);
}

TEST_CASE("a pair that no connection could use is refused when it is described") {
  const KeyPtr key(EVP_RSA_gen(1024));
  const X509Ptr certificate(X509_new());
  REQUIRE(X509_set_pubkey(certificate.get(), key.get()) == 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  REQUIRE(X509_sign(certificate.get(), key.get(), EVP_sha256()) != 0);
  const BioPtr certificate_text(BIO_new(BIO_s_mem())), key_text(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(certificate_text.get(), certificate.get());
  PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  const auto facts = describe(client_of({text_in(certificate_text), text_in(key_text)}));
  REQUIRE_FALSE(facts);
  INFO(facts.error().message);
  CHECK(name_of(facts.error().code) == "invalid_input");
  CHECK(facts.error().message.find("tls.certificate_file: file /c") == 0);
  CHECK(facts.error().message.find("too small") != std::string::npos);
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
  // None of them is left out in silence.
  CertifiedKey broken = pair, many = pair;
  broken.certificate_pem += "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const auto refused = describe(client_of(broken));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find(", certificate 3") != std::string::npos);
  for (int i = 0; i < 15; ++i) many.certificate_pem += authority->certificate_pem();
  const auto too_many = describe(client_of(many));
  REQUIRE_FALSE(too_many);
  CHECK(too_many.error().message.find("more than 16") != std::string::npos);
}
