#pragma once

#include "sandbox/capture/secret_patterns.hpp"
#include "sandbox/report/outcome.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <string>

namespace satellite::sandbox {

/// The answer without the secrets of its run: in error and stack, and in each text and each key of
/// the result. Long ones are worked off in turns, so that the loop goes on.
boost::asio::awaitable<ModuleAnswer> masked_answer(boost::asio::io_context& context,
                                                   const SecretPatterns& secrets,
                                                   ModuleAnswer answer);

/// Paths below the script's own folder, in error and stack: its name differs from run to run, which
/// would make each error a new one.
void shorten_paths(ModuleAnswer& answer, const std::string& folder);

}  // namespace satellite::sandbox
