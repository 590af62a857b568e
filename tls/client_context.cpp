#include "tls/client_context.hpp"

#include "tls/openssl/bundle_lookup.hpp"
#include "tls/openssl/errors.hpp"
#include "tls/openssl/handles.hpp"
#include "tls/system_authorities.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <cerrno>
#include <cstdio>
#include <memory>

namespace satellite::tls {
namespace {

namespace fs = std::filesystem;
using FilePtr = std::unique_ptr<std::FILE, Deleter<&std::fclose>>;

std::string named(const std::string& setting, const fs::path& path) {
  return setting + " \"" + path.string() + "\"";
}

/// Certificates are read one by one, so that an error can say which one and an empty file is found:
/// OpenSSL's own loader takes a file of private keys for a store without authorities.
Result<void> add_ca_file(X509_STORE* store, const Settings& settings) {
  const fs::path& path = settings.ca_file;
  const std::string name = named(settings.ca_file_setting, path);
  std::string text = settings.ca_pem;
  const FilePtr file(text.empty() ? std::fopen(path.c_str(), "rbe")
                                  : ::fmemopen(text.data(), text.size(), "rb"));
  if (!file) return error_from_errno(name, errno);
  ERR_clear_error();
  std::size_t count = 0;
  for (;;) {
    const X509Ptr certificate(PEM_read_X509_AUX(file.get(), nullptr, nullptr, nullptr));
    if (!certificate) break;
    if (++count > authorities_max) {
      return Error{ErrorCode::limit_exceeded, name + ": more than 10000 certificates"};
    }
    if (X509_STORE_add_cert(store, certificate.get()) != 1) {
      return error_from_openssl(ErrorCode::invalid_input,
                                name + ", certificate " + std::to_string(count));
    }
  }
  const bool at_the_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!at_the_end) {
    return error_from_openssl(ErrorCode::invalid_input,
                              name + ", certificate " + std::to_string(count + 1));
  }
  ERR_clear_error();
  if (count == 0) {
    return Error{ErrorCode::invalid_input,
                 name + ": no certificate in it; expected PEM (-----BEGIN CERTIFICATE-----)"};
  }
  return {};
}

Result<void> add_ca_directory(X509_STORE* store, const fs::path& path) {
  std::error_code failure;
  const fs::directory_iterator readable(path, failure);
  if (failure) return error_from_errno(named("tls.ca_directory", path), failure.value());
  // OpenSSL looks certificates up by hash and would silently find none.
  if (!is_hashed_directory(path)) {
    return Error{ErrorCode::invalid_input,
                 named("tls.ca_directory", path) +
                     ": no hashed certificate in it; run: openssl rehash " + path.string()};
  }
  if (X509_STORE_load_path(store, path.c_str()) != 1) {
    return error_from_openssl(ErrorCode::invalid_input, named("tls.ca_directory", path));
  }
  return {};
}

Result<void> add_system_store(X509_STORE* store) {
  const auto authorities = find_system_authorities(1);
  if (!authorities) return authorities.error();
  for (const AuthorityPlace& place : authorities->places) {
    if (place.kind == AuthorityPlace::Kind::bundle) {
      Result<void> added = look_up_in_bundle(store, place.path);
      if (!added) return added;
    } else if (X509_STORE_load_path(store, place.path.c_str()) != 1) {
      return error_from_openssl(ErrorCode::unavailable, place.path.string());
    }
  }
  return {};
}

Result<void> add_trust(X509_STORE* store, const Settings& settings) {
  if (!settings.ca_file.empty()) {
    Result<void> added = add_ca_file(store, settings);
    if (!added) return added;
  }
  if (!settings.ca_directory.empty()) {
    Result<void> added = add_ca_directory(store, settings.ca_directory);
    if (!added) return added;
  }
  const bool has_own = !settings.ca_file.empty() || !settings.ca_directory.empty();
  if (has_own && settings.system_store == SystemStore::replaced) return {};
  return add_system_store(store);
}

}  // namespace

Result<boost::asio::ssl::context> make_client_context(const Settings& settings) {
  ERR_clear_error();
  boost::asio::ssl::context context(boost::asio::ssl::context::tls_client);
  SSL_CTX* native = context.native_handle();
  SSL_CTX_set_security_level(native, security_level);
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER, nullptr);
  // Renegotiation is a way for a peer to make us work; TLS 1.3 has dropped it.
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  if (SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION) != 1) {
    return error_from_openssl(ErrorCode::unsupported, "this OpenSSL cannot be held to TLS 1.2");
  }
  const Result<void> trusted = add_trust(SSL_CTX_get_cert_store(native), settings);
  if (!trusted) return trusted.error();
  if (settings.client) {
    const Result<void> shown = use_client_certificate(native, *settings.client);
    if (!shown) return shown.error();
  }
  return context;
}

}  // namespace satellite::tls
