#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace satellite::fuzz {

/// What must hold for any bytes at all, one function per door.
///
/// Shape: the broken promise in words, or nothing. The fuzzers abort on words; the unit tests
///        replay the corpus through the same functions, so that a crash once found stays found.
std::optional<std::string> check_bounded_json_target(std::string_view input);
std::optional<std::string> check_decode_target(std::string_view input);
std::optional<std::string> check_output_target(std::string_view input);
std::optional<std::string> check_run_stream_target(std::string_view input);

}  // namespace satellite::fuzz
