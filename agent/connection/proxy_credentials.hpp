#pragma once

#include "agent/config/config.hpp"
#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/secret.hpp"

#include <string>

namespace satellite::agent {

/// The file with USER:PASSWORD -> what stands behind `Proxy-Authorization: Basic `; empty where no
/// file is named. Read anew for each connection, so that a changed password needs no restart.
///
/// Errors: those of read_secret_file; invalid_input for what is not one line USER:PASSWORD.
/// Source: RFC 7617 section 2.
Result<Secret> read_proxy_credentials(const std::string& file, const std::string& source);

/// The same for a text; `name` begins an error.
Result<Secret> basic_credentials(std::string text, const std::string& name);

}  // namespace satellite::agent
