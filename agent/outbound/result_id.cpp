#include "agent/outbound/result_id.hpp"

#include "agent/storage/frame_hash.hpp"

#include <array>
#include <charconv>

namespace satellite::agent {
namespace {

constexpr std::size_t digits = 16;
constexpr std::string_view result_begin = R"({"type":"result",)";

std::string in_hexadecimal(std::uint64_t number) {
  std::string text(digits, '0');
  for (std::size_t i = digits; i-- > 0; number >>= 4U) text[i] = "0123456789abcdef"[number & 15U];
  return text;
}

}  // namespace

std::string with_result_id(std::string_view frame, std::uint64_t seq) {
  if (!frame.starts_with(result_begin)) return std::string(frame);
  std::string text;
  text.reserve(frame.size() + 64);
  text += result_begin;
  text += R"("resultId":")" + in_hexadecimal(seq) + '-' + in_hexadecimal(frame_hash(frame)) + "\",";
  text += frame.substr(result_begin.size());
  return text;
}

std::optional<std::uint64_t> seq_of_result_id(std::string_view id) {
  if (id.size() != 2 * digits + 1 || id[digits] != '-') return std::nullopt;
  std::uint64_t seq = 0;
  const auto [end, problem] = std::from_chars(id.data(), id.data() + digits, seq, 16);
  if (problem != std::errc{} || end != id.data() + digits) return std::nullopt;
  return seq;
}

}  // namespace satellite::agent
