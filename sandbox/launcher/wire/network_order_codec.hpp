#pragma once

#include "sandbox/launcher/wire/byte_codec.hpp"
#include "sandbox/launcher/wire/launch_order.hpp"

#include <optional>

namespace satellite::sandbox {

/// The network part of an order (order_codec.hpp). Pure; what makes no sense fails the reader.
void write_network(ByteWriter& out, const std::optional<NetworkOrder>& network);
std::optional<NetworkOrder> read_network(ByteReader& in);

}  // namespace satellite::sandbox
