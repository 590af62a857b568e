#pragma once

#include "protocol/vocabulary/result.hpp"
#include "tls/pin.hpp"

#include <boost/system/error_code.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

struct ssl_st;             // OpenSSL's SSL; its headers are for .cpp files
struct x509_store_ctx_st;  // OpenSSL's X509_STORE_CTX

namespace satellite::tls {

/// The first certificate that verification refused, in words.
///
/// Shape:  all text comes from the peer: print it only through an escaping door.
struct RefusedCertificate {
  int verify_code = 0;             ///< OpenSSL's X509_V_ERR_*
  std::string subject, issuer;     ///< RFC 2253 form
  std::string sha256;              ///< of the whole certificate: `3f:9a:…`
  Pin pin{};                       ///< of its key
  std::vector<std::string> names;  ///< DNS names and addresses it is valid for
  std::string not_before, not_after;
};

/// How an error names what the operator can change.
struct PeerWords {
  std::string url = "the core URL";         ///< where the peer's name and port stand
  std::string authorities = "tls.ca_file";  ///< the setting with those that are trusted
};

/// Watches over one handshake: the name check, server name indication, the pins, and why it was
/// refused.
///
/// Shape:  made for one connection, armed before the handshake, must outlive it.
///         Names are matched by RFC 6125 against the subject alternative names only: no common
///         name, no partial wildcards. Addresses are matched against address entries.
class PeerCheck {
 public:
  /// A host name, or a numeric address without brackets.
  explicit PeerCheck(std::string host, PeerWords words = {}, std::vector<Pin> pins = {})
      : host_(std::move(host)), words_(std::move(words)), pins_(std::move(pins)) {}
  PeerCheck(const PeerCheck&) = delete;
  PeerCheck& operator=(const PeerCheck&) = delete;

  /// Errors: invalid_input for a host that no certificate can name.
  Result<void> arm(ssl_st* ssl);

  /// The handshake failed with `failure` -> what a person has to know and do.
  ///
  /// Errors: not_permitted (certificate refused), unsupported (versions, no TLS at all),
  ///         io_failed otherwise.
  Error explain(const boost::system::error_code& failure,
                std::chrono::system_clock::time_point now) const;

  /// Whether the peer asked for a client certificate.
  bool was_asked_for_certificate() const { return was_asked_; }

  /// The certificate that was refused, if that was the reason.
  const RefusedCertificate* refused() const { return is_refused_ ? &refused_ : nullptr; }

 private:
  static int verified(int accepted, x509_store_ctx_st* context);
  static int asked(ssl_st* ssl, void* check);
  bool has_wrong_key(x509_store_ctx_st* context) const;

  std::string host_;
  PeerWords words_;
  std::vector<Pin> pins_;
  bool is_refused_ = false, was_asked_ = false;
  RefusedCertificate refused_;
};

/// What a peer says about our certificate in an alert. With TLS 1.3 that comes when the handshake
/// is over on this side, in place of the first answer. Nothing for all other failures.
std::optional<Error> refused_by_peer(const boost::system::error_code& failure);

/// A refused certificate -> the one Error for it. Pure.
Error refusal_error(const RefusedCertificate& certificate, const std::string& host,
                    std::chrono::system_clock::time_point now, const PeerWords& words = {});

}  // namespace satellite::tls
