#pragma once

#include "protocol/vocabulary/result.hpp"
#include "tls/settings.hpp"

#include <boost/asio/ssl/context.hpp>

namespace satellite::tls {

/// Settings -> what a client connection starts from. Reads the CA file each time, unless its text
/// is given.
///
/// Shape:  TLS 1.2 or newer, OpenSSL security level 2 (112 bits: no SHA-1 signatures, no RSA below
///         2048), peer verification on. The name check belongs to the connection: peer_check.
///         So do the pins. A client certificate is shown to peers that ask for one.
/// Errors: not_found / not_permitted / invalid_input naming the file and setting at fault.
Result<boost::asio::ssl::context> make_client_context(const Settings& settings);

}  // namespace satellite::tls
