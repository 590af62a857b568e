#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/secret.hpp"

#include <chrono>
#include <optional>
#include <string>

struct ssl_ctx_st;  // OpenSSL's SSL_CTX; its headers are for .cpp files
struct ssl_st;

namespace satellite::tls {

/// What this side shows to a peer that asks who it is.
struct ClientCertificate {
  std::string certificate_pem;  ///< its own first, then those of authorities between
  Secret key_pem;
  std::string certificate_name, key_name;  ///< the words for where they come from
};

/// What a person wants to know of it.
struct ClientCertificateFacts {
  std::string subject, issuer;  ///< RFC 2253 form
  std::string not_before, not_after;
  std::chrono::system_clock::time_point begins, ends;
};

/// Looks whether it can be used at all, and describes it.
///
/// Errors: invalid_input naming the file at fault: no certificate, no key, a key behind a
///         passphrase, which nobody is there to type, a key that belongs to another certificate,
///         or one that the security level of connections refuses.
///         One outside its time is no error: the peer's clock decides.
Result<ClientCertificateFacts> describe(const ClientCertificate& client);

/// From now on connections of `context` show it where they are asked. Errors: as above.
Result<void> use_client_certificate(ssl_ctx_st* context, const ClientCertificate& client);

/// When the certificate of the other side ends; nothing before a handshake.
std::optional<std::chrono::system_clock::time_point> peer_certificate_end(const ssl_st* ssl);

/// `CN=satellite-1, of CN=authority, valid until …`, and that it is not valid at `now` if so.
std::string in_words(const ClientCertificateFacts& facts,
                     std::chrono::system_clock::time_point now);

}  // namespace satellite::tls
