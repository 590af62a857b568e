#pragma once

#include "protocol/vocabulary/byte_count.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace satellite::sandbox {

/// The output of a check as one piece of text per stream, the way assignments report it.
struct CapturedText {
  std::string standard_output, standard_error;
  bool truncated = false;
};

/// Cuts both texts to a shared number of bytes on code points: output first, errors get the rest.
/// Source: reference-satellite 10.
CapturedText truncate_captured(std::string standard_output, std::string standard_error,
                               std::optional<ByteCount> size_max);

/// What was read from both pipes, decoded with replacement, cut and without white space at its
/// ends. Source: core-contract 3.4.
CapturedText captured_text(std::string_view output_bytes, std::string_view error_bytes,
                           std::optional<ByteCount> size_max);

}  // namespace satellite::sandbox
