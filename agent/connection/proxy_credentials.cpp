#include "agent/connection/proxy_credentials.hpp"

#include "agent/config/secret_file.hpp"
#include "protocol/vocabulary/byte_count.hpp"

#include <algorithm>
#include <string_view>

namespace satellite::agent {
namespace {

using namespace satellite::byte_literals;

constexpr ByteCount credentials_size_max = 1_KiB;

/// At its full size from the start: growing would leave pieces of the secret behind.
std::string as_base64(std::string_view bytes) {
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    unsigned bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8U | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text += i <= count ? letters[bits >> (18U - 6U * i) & 0x3fU] : '=';
    }
  }
  return text;
}

}  // namespace

Result<Secret> basic_credentials(std::string text, const std::string& name) {
  std::size_t size = text.size();
  while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r')) --size;
  const std::string_view line(text.data(), size);
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  std::string problem;
  if (text.size() > credentials_size_max.value) {
    problem = " is longer than " + std::to_string(credentials_size_max.value) + " bytes";
  } else if (std::any_of(line.begin(), line.end(), is_control)) {
    problem = " has more than one line, or control characters";
  } else if (line.find(':') == std::string_view::npos || line.starts_with(':')) {
    problem = " has no user, a colon and a password";
  }
  Secret encoded(problem.empty() ? as_base64(line) : std::string());
  wipe(text);
  if (problem.empty()) return encoded;
  return Error{ErrorCode::invalid_input,
               name + problem + "; it should hold one line, USER:PASSWORD"};
}

Result<Secret> read_proxy_credentials(const std::string& file, const std::string& source) {
  if (file.empty()) return Secret();
  const std::string name = source + ": file " + file;
  auto text = read_secret_file(file, name, credentials_size_max);
  if (!text) return text.error();
  return basic_credentials(*std::move(text), name);
}

}  // namespace satellite::agent
