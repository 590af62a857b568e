#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/launcher/wire/launch_order.hpp"

#include <string>
#include <string_view>

namespace satellite::sandbox {

// 1 MiB of script, stdin and environment each, the wrapper's arguments, and room to spare.
constexpr ByteCount launch_order_size_max{8U << 20U};

/// LaunchOrder <-> bytes. Pure; decode_order is safe on any bytes (a fuzz target).
///
/// Errors: invalid_input for a foreign version, a torn or overlong order, a text with a NUL inside
///         where the kernel takes a C string, an environment name that is empty or holds '=', and
///         for orders that make no sense: no command, a wrapper without an engine, a file step
///         whose target is absolute or climbs, a fault that is not sound.
std::string encode_order(const LaunchOrder& order);
Result<LaunchOrder> decode_order(std::string_view bytes);

/// The part of an order that the set-up uses, without command, environment, input and directory.
/// Two orders with equal bytes make equal sandboxes. Pure.
std::string encode_setup(const LaunchOrder& order);

/// The order in a sealed memory file, which must be for this run; the bytes are wiped.
Result<LaunchOrder> take_order(int fd, std::uint64_t run_number);

}  // namespace satellite::sandbox
