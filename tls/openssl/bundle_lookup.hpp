#pragma once

#include "protocol/vocabulary/result.hpp"

#include <openssl/x509.h>
#include <filesystem>

namespace satellite::tls {

/// Lets `store` look for authorities in a PEM bundle when a handshake asks for one, instead of
/// keeping all of them: the 144 of a distribution are 3 MB, the one that is needed some kilobytes.
///
/// Shape:  each look reads the file anew, certificate by certificate, and adds to the store those
///         of the wanted name. What is no certificate in it is passed over.
/// Errors: io_failed naming the bundle, if OpenSSL has no memory for it.
Result<void> look_up_in_bundle(X509_STORE* store, const std::filesystem::path& bundle);

}  // namespace satellite::tls
