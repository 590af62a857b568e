#include "tls/client_context.hpp"
#include "tests/devcore/temporary_certificate.hpp"
#include "tests/support/temp_dir.hpp"

#include <openssl/ssl.h>
#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::tls;
using satellite::tests::TempDir;

namespace {

Error error_for(const Settings& settings) {
  auto context = make_client_context(settings);
  REQUIRE_FALSE(context);
  return context.error();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a client context refuses everything below TLS 1.2 and 112 bits") {
  auto context = make_client_context({});
  REQUIRE(context);
  SSL_CTX* native = context->native_handle();
  CHECK(SSL_CTX_get_min_proto_version(native) == TLS1_2_VERSION);
  CHECK(SSL_CTX_get_security_level(native) == 2);
  CHECK(SSL_CTX_get_verify_mode(native) == SSL_VERIFY_PEER);
  CHECK((SSL_CTX_get_options(native) & SSL_OP_NO_RENEGOTIATION) != 0);
}

TEST_CASE("a good authority file is taken, also with several certificates and comments in it") {
  const TempDir directory;
  const std::string first = TemporaryAuthority::create()->certificate_pem();
  const std::string second = TemporaryAuthority::create()->certificate_pem();
  Settings settings;
  settings.ca_file =
      directory.write("ca.pem", "# first\n" + first + "\n# second\n" + second + first);
  auto context = make_client_context(settings);
  REQUIRE(context);
  const auto* objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context->native_handle()));
  CHECK(sk_X509_OBJECT_num(objects) == 2);
}

TEST_CASE("a bad authority file is named together with its setting and what is wrong") {
  const TempDir directory;
  const std::string good = TemporaryAuthority::create()->certificate_pem();
  const auto key = TemporaryAuthority::create()->sign({})->key_pem;
  const auto [text, part] = GENERATE_COPY(table<std::string, std::string>({
      {"", "no certificate in it"},
      {"hello", "no certificate in it"},
      {key, "no certificate in it"},
      {good.substr(0, good.size() / 2), "certificate 1"},
      {good + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 2"},
  }));
  Settings settings;
  settings.ca_file = directory.write("ca.pem", text);
  const Error error = error_for(settings);
  CAPTURE(error.message);
  CHECK(error.code == ErrorCode::invalid_input);
  CHECK(contains(error.message, "tls.ca_file \"" + settings.ca_file.string() + '"'));
  CHECK(contains(error.message, part));
}

TEST_CASE("an authority file or directory that is not there is not found") {
  const TempDir directory;
  Settings by_file;
  by_file.ca_file = directory.path() / "missing.pem";
  CHECK(error_for(by_file).code == ErrorCode::not_found);
  Settings by_directory;
  by_directory.ca_directory = directory.path() / "missing";
  CHECK(error_for(by_directory).code == ErrorCode::not_found);
}

TEST_CASE("a directory that OpenSSL would silently find nothing in is refused with the remedy") {
  const TempDir directory;
  const std::string pem = TemporaryAuthority::create()->certificate_pem();
  directory.write("ca.pem", pem);
  Settings settings;
  settings.ca_directory = directory.path();
  CHECK(contains(error_for(settings).message, "openssl rehash"));
  directory.write("0123abcd.0", pem);
  CHECK(make_client_context(settings));
}

TEST_CASE("an own authority replaces the system's store unless it is said to add to it") {
  const TempDir directory;
  Settings settings;
  settings.ca_file = directory.write("ca.pem", TemporaryAuthority::create()->certificate_pem());
  const auto lookups = [](const Settings& given) {
    auto context = make_client_context(given);
    REQUIRE(context);
    X509_STORE* store = SSL_CTX_get_cert_store(context->native_handle());
    // A directory or file of the system shows as certificates already there or found on demand.
    return X509_STORE_get0_objects(store) != nullptr
               ? sk_X509_OBJECT_num(X509_STORE_get0_objects(store))
               : 0;
  };
  CHECK(lookups(settings) == 1);
  settings.system_store = SystemStore::added;
  CHECK(lookups(settings) >= 1);
}
