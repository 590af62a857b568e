#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <string>

namespace satellite::agent {

/// A socket that listens.
struct ListeningSocket {
  UniqueFd fd;
  std::string path;  ///< of a unix socket, which is removed with its listener; else empty
  std::string at{};  ///< where it is reached: the path, or address and port
};

/// A unix socket for this user and its group (0660). One that a process left behind is replaced,
/// one that answers is not.
///
/// Errors: not_permitted, not_found, invalid_input (a path that is too long, or no socket),
///         unavailable = another process answers there.
Result<ListeningSocket> listen_on_path(const std::string& path);

/// `127.0.0.1:9464`, `[::1]:9464`; port 0 = any free one.
/// Errors: invalid_input for all that is no loopback address with its port.
Result<ListeningSocket> listen_on_loopback(const std::string& address);
Result<void> check_loopback(const std::string& address);

}  // namespace satellite::agent
