#pragma once

#include "agent/config/config.hpp"
#include "protocol/vocabulary/result.hpp"
#include "tls/settings.hpp"

namespace satellite::agent {

/// Whether `run` can have what its settings name: a scratch directory that it can write to.
/// Changes nothing and starts nothing, so it comes before the launcher.
///
/// Errors: not_found, not_permitted or invalid_input, naming the setting and the remedy.
Result<void> check_scratch_directory(const Config& config);

/// Whether the proxy's authorities and its file with user and password can be used, where a proxy
/// is on the way to any core. Holds the password for a moment, so it comes after the fork, too.
///
/// Errors: those of choose_proxy, read_proxy_credentials and tls::make_client_context.
Result<void> check_proxy(const Config& config);

/// What a command that connects once trusts and shows; reads the client certificate's files.
/// Errors: those of read_client_certificate.
Result<tls::Settings> trust_named_by(const Config& config);

/// Whether any certificate authority is trusted: reads the CA file and directory, or the
/// system's store, once.
/// Wakes the TLS library, so it comes after the launcher was forked.
///
/// Errors: as tls::make_client_context.
Result<void> check_authorities(const Config& config);

}  // namespace satellite::agent
