#include "agent/packages/manifest/package_name.hpp"

#include <algorithm>
#include <cstddef>

namespace satellite::agent {
namespace {

constexpr std::size_t name_length_max = 214;
constexpr std::size_t version_length_max = 64;
constexpr std::size_t digest_length = 64;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_name_part(std::string_view part) {
  if (part.empty() || part.front() == '.' || part.front() == '_') return false;
  return std::all_of(part.begin(), part.end(), [](char c) {
    return is_letter_or_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
  });
}

}  // namespace

Result<void> check_package_name(std::string_view name) {
  const Error wrong{ErrorCode::invalid_input, "is not the name of a package"};
  if (name.size() > name_length_max || name == "node_modules") return wrong;
  std::string_view own = name;
  if (name.starts_with('@')) {
    const std::size_t slash = name.find('/');
    if (slash == std::string_view::npos || !is_name_part(name.substr(1, slash - 1))) return wrong;
    own = name.substr(slash + 1);
  }
  if (!is_name_part(own)) return wrong;
  return {};
}

Result<void> check_package_version(std::string_view version) {
  const bool fits = !version.empty() && version.size() <= version_length_max &&
                    version.front() >= '0' && version.front() <= '9' &&
                    std::all_of(version.begin(), version.end(), [](char c) {
                      return is_letter_or_digit(c) || c == '.' || c == '-' || c == '+';
                    });
  if (!fits) return Error{ErrorCode::invalid_input, "is not the version of a package"};
  return {};
}

bool is_sha256(std::string_view text) {
  return text.size() == digest_length && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string directory_name_of(std::string_view name, std::string_view version) {
  std::string text(name);
  std::replace(text.begin(), text.end(), '/', '+');
  text += '@';
  text += version;
  return text;
}

}  // namespace satellite::agent
