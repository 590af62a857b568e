#include "tests/vectors/captured_text.hpp"

#include "protocol/vocabulary/utf8.hpp"

#include <algorithm>

namespace satellite::sandbox {
namespace {

/// Shortens `text` to what is left and takes that from it.
bool cut(std::string& text, std::uint64_t& left) {
  const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(left, text.size()));
  const std::size_t kept = cut_on_code_point(text, room).size();
  const bool shortened = kept < text.size();
  text.resize(kept);
  left -= kept;
  return shortened;
}

}  // namespace

CapturedText truncate_captured(std::string standard_output, std::string standard_error,
                               std::optional<ByteCount> size_max) {
  CapturedText text{std::move(standard_output), std::move(standard_error), false};
  if (!size_max) return text;
  std::uint64_t left = size_max->value;
  const bool output_cut = cut(text.standard_output, left);
  const bool error_cut = cut(text.standard_error, left);
  text.truncated = output_cut || error_cut;
  return text;
}

CapturedText captured_text(std::string_view output_bytes, std::string_view error_bytes,
                           std::optional<ByteCount> size_max) {
  bool cut_early = false;
  if (size_max) {
    const auto room = static_cast<std::size_t>(size_max->value);
    const std::size_t output_room = std::min(room, output_bytes.size());
    const std::size_t error_room = std::min(room - output_room, error_bytes.size());
    cut_early = output_room < output_bytes.size() || error_room < error_bytes.size();
    output_bytes = output_bytes.substr(0, output_room);
    error_bytes = error_bytes.substr(0, error_room);
  }
  auto text = truncate_captured(decoded_with_replacement(output_bytes),
                                decoded_with_replacement(error_bytes), size_max);
  text.truncated = text.truncated || cut_early;
  text.standard_output = trimmed_as_javascript(text.standard_output);
  text.standard_error = trimmed_as_javascript(text.standard_error);
  return text;
}

}  // namespace satellite::sandbox
