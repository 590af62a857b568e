#pragma once

#include "tls/peer_check.hpp"

#include <openssl/x509.h>
#include <string>
#include <vector>

namespace satellite::tls {

/// The words about one certificate that an error needs; `certificate` may be null.
RefusedCertificate describe_refused(int verify_code, const X509* certificate);

/// DNS names and addresses of the subject alternative names, at most 32, each at most 256 bytes.
std::vector<std::string> names_of(const X509* certificate);

/// The pin of its public key; zeros for a certificate without one.
Pin pin_of(const X509* certificate);

/// SHA-256 over the DER form as `3f:9a:…`, the form that browsers and `openssl x509` print.
std::string fingerprint_of(const X509* certificate);

}  // namespace satellite::tls
