#include "agent/checks/secret_reference.hpp"

#include <algorithm>

namespace satellite::agent {
namespace {

constexpr std::size_t secret_name_size_max = 63;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_name_character(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

void take_space(std::string_view& text) {
  const auto first = text.find_first_not_of(" \t\n\v\f\r");
  text.remove_prefix(first == std::string_view::npos ? text.size() : first);
}

/// Whether a reference stands at the front of `text`.
bool begins_with_reference(std::string_view text) {
  if (!take(text, "${{")) return false;
  take_space(text);
  if (!take(text, "secrets.")) return false;
  const auto end = std::find_if_not(text.begin(), text.end(), is_name_character);
  if (end == text.begin()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
  take_space(text);
  return text.starts_with("}}");
}

}  // namespace

bool holds_secret_reference(std::string_view text) {
  for (auto at = text.find("${{"); at != std::string_view::npos; at = text.find("${{", at + 1)) {
    if (begins_with_reference(text.substr(at))) return true;
  }
  return false;
}

bool is_secret_name(std::string_view text) {
  return !text.empty() && text.size() <= secret_name_size_max && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(), is_name_character);
}

bool is_config_secret_marker(std::string_view text) {
  return text.starts_with("__hcsecret__:");
}

}  // namespace satellite::agent
