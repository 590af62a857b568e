#pragma once

#include "protocol/vocabulary/result.hpp"
#include "tls/settings.hpp"

#include <boost/asio/ssl/context.hpp>

namespace satellite::tls {

/// OpenSSL's: 112 bits, so no SHA-1 signatures and no RSA below 2048.
inline constexpr int security_level = 2;

/// Settings -> what a client connection starts from. Reads the CA file each time, unless its text
/// is given.
///
/// Shape:  TLS 1.2 or newer, OpenSSL's security_level, peer verification on. The name check belongs
///         to the connection: peer_check. So do the pins. A client certificate is shown to peers
///         that ask for one.
/// Errors: not_found / not_permitted / invalid_input naming the file and setting at fault.
Result<boost::asio::ssl::context> make_client_context(const Settings& settings);

}  // namespace satellite::tls
