#include "tls/system_authorities.hpp"
#include "tests/devcore/temporary_certificate.hpp"
#include "tests/support/temp_dir.hpp"
#include "tls/openssl/bundle_lookup.hpp"
#include "tls/openssl/handles.hpp"

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <algorithm>
#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::tls;
using satellite::tests::TempDir;

namespace {

using Kind = AuthorityPlace::Kind;
using StorePtr = std::unique_ptr<X509_STORE, Deleter<&X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, Deleter<&X509_STORE_CTX_free>>;

X509Ptr certificate_in(const std::string& pem) {
  const BioPtr text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  X509Ptr certificate(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
  REQUIRE(certificate);
  return certificate;
}

/// Whether a handshake would trust the certificate: 0, or OpenSSL's X509_V_ERR_*.
int verdict(X509_STORE* store, const std::string& pem) {
  const X509Ptr certificate = certificate_in(pem);
  const StoreContextPtr context(X509_STORE_CTX_new());
  REQUIRE(X509_STORE_CTX_init(context.get(), store, certificate.get(), nullptr) == 1);
  return X509_verify_cert(context.get()) == 1 ? 0 : X509_STORE_CTX_get_error(context.get());
}

int kept_in(X509_STORE* store) {
  return sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
}

}  // namespace

TEST_CASE("hashed directories are looked for before bundles, and variables before both") {
  const auto known = search_for({});
  CHECK_FALSE(known.takes_all);
  REQUIRE(known.places.size() > 8);
  CHECK(known.places.front() == AuthorityPlace{Kind::hashed_directory, "/etc/ssl/certs"});
  CHECK(std::is_sorted(known.places.begin(), known.places.end(),
                       [](const auto& a, const auto& b) { return a.kind < b.kind; }));
  const auto named = search_for({"/a.pem", "/one::/two"});
  CHECK(named.takes_all);
  CHECK(named.places == std::vector<AuthorityPlace>{{Kind::bundle, "/a.pem"},
                                                    {Kind::hashed_directory, "/one"},
                                                    {Kind::hashed_directory, "/two"}});
}

TEST_CASE("the first place that holds something is the store, with its count") {
  const TempDir directory;
  const std::string pem = TemporaryAuthority::create()->certificate_pem();
  // RHEL's directory: a bundle in it and no hash names.
  directory.write("ca-bundle.crt", pem + pem);
  const std::string hash_names = directory.path().string() + "/hashed";
  std::filesystem::create_directory(hash_names);
  const AuthoritySearch search{{{Kind::hashed_directory, directory.path() / "missing"},
                                {Kind::hashed_directory, directory.path()},
                                {Kind::hashed_directory, hash_names},
                                {Kind::bundle, directory.path() / "ca-bundle.crt"}},
                               false};
  auto found = find_authorities(search, authorities_max);
  REQUIRE(found);
  CHECK(found->count == 2);
  CHECK(describe(*found) == directory.path().string() + "/ca-bundle.crt (bundle, 2 certificates)");
  directory.write("hashed/0123abcd.0", pem);
  directory.write("hashed/0123abcd.1", pem);
  directory.write("hashed/ca.pem", pem);
  found = find_authorities(search, authorities_max);
  REQUIRE(found);
  CHECK(describe(*found) == hash_names + " (hashed directory, 2 certificates)");
  CHECK(find_authorities(search, 1)->count == 1);
}

TEST_CASE("no certificates anywhere is an error with every path that was searched") {
  const TempDir directory;
  directory.write("empty.pem", "");
  AuthoritySearch search{{{Kind::hashed_directory, directory.path()},
                          {Kind::bundle, directory.path() / "empty.pem"},
                          {Kind::bundle, directory.path() / "missing.pem"}},
                         false};
  const auto found = find_authorities(search, 1);
  REQUIRE_FALSE(found);
  CHECK(found.error().code == ErrorCode::not_found);
  for (const auto& place : search.places) {
    CHECK(found.error().message.find(place.path.string()) != std::string::npos);
  }
  CHECK(found.error().message.find("ca-certificates") != std::string::npos);
  search.takes_all = true;
  CHECK(find_authorities(search, 1).error().message.find("SSL_CERT_FILE") != std::string::npos);
}

TEST_CASE("an authority of a bundle is found on demand, and only that one is kept") {
  const TempDir directory;
  const auto authority = TemporaryAuthority::create();
  const auto stranger = TemporaryAuthority::create();
  std::string bundle = "# comment\n";
  for (int i = 0; i < 5; ++i) bundle += TemporaryAuthority::create()->certificate_pem();
  // What is broken between others costs itself alone.
  bundle += "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  bundle += authority->sign({})->key_pem;
  bundle += authority->certificate_pem() + authority->certificate_pem();
  const StorePtr store(X509_STORE_new());
  REQUIRE(look_up_in_bundle(store.get(), directory.write("bundle.pem", bundle)));
  CHECK(kept_in(store.get()) == 0);
  const std::string served = authority->sign({})->certificate_pem;
  CHECK(verdict(store.get(), served) == 0);
  CHECK(kept_in(store.get()) == 1);
  CHECK(verdict(store.get(), served) == 0);
  CHECK(verdict(store.get(), stranger->sign({})->certificate_pem) != 0);
  CHECK(kept_in(store.get()) == 1);
}

TEST_CASE("a bundle that is gone when a handshake asks trusts nobody") {
  const TempDir directory;
  const auto authority = TemporaryAuthority::create();
  const auto path = directory.write("bundle.pem", authority->certificate_pem());
  const StorePtr store(X509_STORE_new());
  REQUIRE(look_up_in_bundle(store.get(), path));
  std::filesystem::remove(path);
  CHECK(verdict(store.get(), authority->sign({})->certificate_pem) != 0);
}
