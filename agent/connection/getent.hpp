#pragma once

#include "protocol/vocabulary/result.hpp"

#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <string>
#include <vector>

namespace satellite::agent {

/// Asks the host's own program for the addresses of `name`: all that nsswitch.conf names is asked,
/// by libraries that are loaded into that program and not into this one. Blocks until it ended, at
/// most until `deadline`, when it is killed; the caller is a thread of its own.
///
/// Errors: not_found = the program says that there is no such name, or this host has no getent;
///         timed_out; io_failed = it ended in another way.
/// Source: getent(1).
Result<std::vector<boost::asio::ip::address>> ask_getent(
    const std::string& name, std::chrono::steady_clock::time_point deadline);

}  // namespace satellite::agent
