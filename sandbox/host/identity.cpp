#include "sandbox/host/identity.hpp"

#include "protocol/vocabulary/printable.hpp"

#include <charconv>
#include <optional>
#include <string>

namespace satellite::sandbox {
namespace {

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc{} || rest != end) return std::nullopt;
  return number;
}

}  // namespace

Result<IdentityRange> parse_identity_range(std::string_view text) {
  const auto wrong = [text](const std::string& problem) {
    return Error{ErrorCode::invalid_input,
                 "'" + printable(text) + "' " + problem +
                     "; write BASE:COUNT, e.g. 2000000000:64, with numbers that no account has"};
  };
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return wrong("is no range of user ids");
  const auto first = whole_number(text.substr(0, colon));
  const auto count = whole_number(text.substr(colon + 1));
  if (!first || !count) return wrong("is no range of user ids");
  if (*first == 0) return wrong("holds user id 0, which is root");
  if (*count == 0 || *count > identity_count_max) {
    return wrong("does not hold from 1 to " + std::to_string(identity_count_max) + " user ids");
  }
  if (*first > id_max || *first + (*count - 1) > id_max) {
    return wrong("goes beyond " + std::to_string(id_max) + ", the largest user id");
  }
  return IdentityRange{static_cast<std::uint32_t>(*first), static_cast<std::uint32_t>(*count)};
}

}  // namespace satellite::sandbox
