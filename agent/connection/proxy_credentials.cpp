#include "agent/connection/proxy_credentials.hpp"

#include "agent/config/secret_file.hpp"
#include "protocol/vocabulary/base64.hpp"
#include "protocol/vocabulary/byte_count.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace satellite::agent {
namespace {

using namespace satellite::byte_literals;

constexpr ByteCount credentials_size_max = 1_KiB;

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
  std::string base64;
  if (problem.empty()) append_base64(base64, line);
  Secret encoded(base64);
  wipe(base64);
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
