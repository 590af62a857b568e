#pragma once

namespace satellite::tls {

/// Starts libcrypto without a configuration file: the first call into it decides, so this comes
/// before any other. A host's openssl.cnf may name providers and engines, libraries that were built
/// for another OpenSSL, and what it sets (protocols, security level) is not ours to promise.
///
/// Errors: false if libcrypto cannot start at all.
bool start_library();

}  // namespace satellite::tls
