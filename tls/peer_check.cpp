// OpenSSL verifies; this file tells it the name to check and remembers what it refused, because
// after a failed handshake the peer's certificate can no longer be asked for.
#include "tls/peer_check.hpp"

#include "tls/openssl/certificate_text.hpp"
#include "tls/openssl/errors.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <ctime>

namespace satellite::tls {
namespace {

bool is_address(const std::string& host) {
  in6_addr room{};
  return ::inet_pton(AF_INET, host.c_str(), &room) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &room) == 1;
}

/// The slot in every SSL object that leads back to its PeerCheck; Asio uses the "app data" slot.
int owner_slot() {
  static const int slot = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return slot;
}

/// SSL_set_tlsext_host_name without its macro, which casts in the old style.
bool name_server(SSL* ssl, std::string name) {
  return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1;
}

std::string utc_text(std::chrono::system_clock::time_point now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return std::string(text, size);
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "no name at all" : text;
}

bool is_unknown_authority(int code) {
  switch (code) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
      return true;
    default:
      return false;
  }
}

Error certificate_error(const std::string& what, const RefusedCertificate& certificate,
                        const std::string& remedy) {
  return Error{ErrorCode::not_permitted, "TLS: " + what + "; issuer seen: \"" + certificate.issuer +
                                             "\", SHA-256 " + certificate.sha256 + "; " + remedy};
}

/// The reasons of a failed handshake that have nothing to do with certificates. Behind a blank at
/// the end the words for the peer's URL follow.
struct HandshakeReason {
  int code;
  ErrorCode error;
  const char* text;
};
constexpr HandshakeReason handshake_reasons[] = {
    {SSL_R_WRONG_VERSION_NUMBER, ErrorCode::unsupported,
     "the peer does not speak TLS on this port (plain HTTP?); check scheme and port of "},
    {SSL_R_HTTP_REQUEST, ErrorCode::unsupported, "the peer does not speak TLS but plain HTTP"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, ErrorCode::unsupported,
     "the peer does not speak TLS on this port; check scheme and port of "},
    {SSL_R_UNSUPPORTED_PROTOCOL, ErrorCode::unsupported,
     "the peer offers only versions older than TLS 1.2, which are refused"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, ErrorCode::unsupported,
     "the peer does not accept TLS 1.2 or newer, and older versions are refused"},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, ErrorCode::unsupported,
     "the peer found no common cipher, or wants a client certificate (tls.certificate_file)"},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, ErrorCode::unsupported,
     "this host's OpenSSL configuration leaves no version of TLS"},
};

/// What the peer says about our certificate (RFC 8446 section 6.2).
constexpr HandshakeReason reasons_about_us[] = {
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, ErrorCode::not_permitted,
     "the peer wants a client certificate; set tls.certificate_file and tls.key_file"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, ErrorCode::not_permitted,
     "the peer refused the client certificate: it does not trust the authority that signed it"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, ErrorCode::not_permitted,
     "the peer refused the client certificate: by its clock it is outside its time; renew it"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, ErrorCode::not_permitted,
     "the peer refused the client certificate: it was revoked; have another one issued"},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, ErrorCode::not_permitted,
     "the peer refused the client certificate: it is not made for clients (clientAuth)"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, ErrorCode::not_permitted,
     "the peer refused the client certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, ErrorCode::not_permitted,
     "the peer refused the client certificate"},
    {SSL_R_TLSV1_ALERT_ACCESS_DENIED, ErrorCode::not_permitted,
     "the peer takes the client certificate and does not let it in"},
    {SSL_R_TLSV1_ALERT_DECRYPT_ERROR, ErrorCode::not_permitted,
     "the peer could not verify what was signed with the client's key"},
};

}  // namespace

std::optional<Error> refused_by_peer(const boost::system::error_code& failure) {
  if (failure.category() != boost::asio::error::get_ssl_category()) return std::nullopt;
  const int reason = ERR_GET_REASON(static_cast<unsigned long>(failure.value()));
  for (const HandshakeReason& known : reasons_about_us) {
    if (known.code == reason) return Error{known.error, std::string("TLS: ") + known.text};
  }
  return std::nullopt;
}

Error refusal_error(const RefusedCertificate& certificate, const std::string& host,
                    std::chrono::system_clock::time_point now, const PeerWords& words) {
  const int code = certificate.verify_code;
  const std::string clock = "the local clock says " + utc_text(now);
  if (is_unknown_authority(code)) {
    return certificate_error(
        "the certificate of " + host + " comes from an authority that is not trusted here",
        certificate,
        "put the authority's certificate into the file that " + words.authorities +
            " names, and name one there if none is");
  }
  if (code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    return certificate_error(
        "the certificate is not for " + host + " but for " + joined(certificate.names), certificate,
        "use one of these names in " + words.url);
  }
  if (code == X509_V_ERR_CERT_HAS_EXPIRED) {
    return certificate_error("the certificate of " + host + " expired at " + certificate.not_after,
                             certificate, clock);
  }
  if (code == X509_V_ERR_CERT_NOT_YET_VALID) {
    return certificate_error(
        "the certificate of " + host + " is valid only from " + certificate.not_before, certificate,
        clock);
  }
  if (code == X509_V_ERR_APPLICATION_VERIFICATION) {
    return certificate_error(
        "the key of " + host + " is none of tls.pins; seen: " + text_of(certificate.pin),
        certificate, "if the core has a new key, and this is it, add this pin");
  }
  return certificate_error(
      "the certificate of " + host + " is refused: " + X509_verify_cert_error_string(code),
      certificate, "have it issued anew");
}

bool PeerCheck::has_wrong_key(X509_STORE_CTX* context) const {
  if (pins_.empty() || X509_STORE_CTX_get_error_depth(context) != 0) return false;
  const Pin seen = pin_of(X509_STORE_CTX_get_current_cert(context));
  return std::find(pins_.begin(), pins_.end(), seen) == pins_.end();
}

int PeerCheck::verified(int accepted, X509_STORE_CTX* context) {
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* check = static_cast<PeerCheck*>(SSL_get_ex_data(ssl, owner_slot()));
  if (accepted == 1 && !check->has_wrong_key(context)) return 1;
  if (accepted == 1) X509_STORE_CTX_set_error(context, X509_V_ERR_APPLICATION_VERIFICATION);
  if (!check->is_refused_) {
    check->is_refused_ = true;
    check->refused_ = describe_refused(X509_STORE_CTX_get_error(context),
                                       X509_STORE_CTX_get_current_cert(context));
  }
  return 0;
}

/// OpenSSL calls it once the peer has asked, and takes 1 for an answer.
int PeerCheck::asked(SSL*, void* check) {
  static_cast<PeerCheck*>(check)->was_asked_ = true;
  return 1;
}

Result<void> PeerCheck::arm(SSL* ssl) {
  ERR_clear_error();
  X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
  const std::string not_nameable = "TLS: no certificate can name the host \"" + host_ + "\"";
  if (is_address(host_)) {
    // RFC 6066 forbids addresses in the server name indication.
    if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host_.c_str()) != 1) {
      return error_from_openssl(ErrorCode::invalid_input, not_nameable);
    }
  } else {
    X509_VERIFY_PARAM_set_hostflags(
        parameters, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_host(parameters, host_.c_str(), host_.size()) != 1 ||
        !name_server(ssl, host_)) {
      return error_from_openssl(ErrorCode::invalid_input, not_nameable);
    }
  }
  if (SSL_set_ex_data(ssl, owner_slot(), this) != 1) {
    return error_from_openssl(ErrorCode::internal, "TLS: no room for the peer check");
  }
  SSL_set_verify(ssl, SSL_VERIFY_PEER, &PeerCheck::verified);
  SSL_set_cert_cb(ssl, &PeerCheck::asked, this);
  return {};
}

Error PeerCheck::explain(const boost::system::error_code& failure,
                         std::chrono::system_clock::time_point now) const {
  ERR_clear_error();
  if (is_refused_) return refusal_error(refused_, host_, now, words_);
  if (auto refused = refused_by_peer(failure)) return *std::move(refused);
  if (failure.category() == boost::asio::error::get_ssl_category()) {
    const int reason = ERR_GET_REASON(static_cast<unsigned long>(failure.value()));
    for (const HandshakeReason& known : handshake_reasons) {
      if (known.code != reason) continue;
      const std::string text = std::string("TLS: ") + known.text;
      return Error{known.error, text.ends_with(' ') ? text + words_.url : text};
    }
  }
  const bool is_cut = failure == boost::asio::error::eof ||
                      failure == boost::asio::ssl::error::stream_truncated ||
                      failure == boost::asio::error::connection_reset;
  if (is_cut) {
    return Error{ErrorCode::unavailable, "TLS: the peer closed the connection in the handshake"};
  }
  return Error{ErrorCode::io_failed, "TLS: the handshake failed: " + failure.message()};
}

}  // namespace satellite::tls
