#pragma once

#include <cstdint>
#include <string_view>

namespace satellite::agent {

/// A hash that tells a frame that the disk changed; also part of a result's id. FNV-1a: a disk's
/// mistakes are no attacks.
std::uint64_t frame_hash(std::string_view frame);

}  // namespace satellite::agent
