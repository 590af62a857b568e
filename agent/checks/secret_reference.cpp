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

/// How many characters of `text` the reference at its front takes; 0 where there is none.
std::size_t reference_size(std::string_view text) {
  const std::size_t whole = text.size();
  if (!take(text, "${{")) return 0;
  take_space(text);
  if (!take(text, "secrets.")) return 0;
  const auto end = std::find_if_not(text.begin(), text.end(), is_name_character);
  if (end == text.begin()) return 0;
  text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
  take_space(text);
  return take(text, "}}") ? whole - text.size() : 0;
}

/// What stands before, between and behind the references of a text.
std::vector<std::string_view> literals_of(std::string_view text) {
  std::vector<std::string_view> literals;
  std::size_t begin = 0;
  for (auto at = text.find("${{"); at != std::string_view::npos;) {
    const std::size_t size = reference_size(text.substr(at));
    if (size > 0) {
      literals.push_back(text.substr(begin, at - begin));
      begin = at + size;
    }
    at = text.find("${{", size > 0 ? begin : at + 1);
  }
  literals.push_back(text.substr(begin));
  return literals;
}

/// Every way to divide a value between its references, up to a bound.
class Division {
 public:
  explicit Division(const std::vector<std::string_view>& literals) : literals_(literals) {}

  /// `value` begins with the secret behind literal number `index`.
  void divide(std::size_t index, std::string_view value) {
    if (index + 2 == literals_.size()) {
      ++count_;
      return add(value);
    }
    const std::string_view separator = literals_[index + 1];
    // Two references side by side could be divided anywhere; nothing can be known then.
    if (separator.empty()) return;
    for (auto at = value.find(separator); at != std::string_view::npos && count_ < count_max;
         at = value.find(separator, at + 1)) {
      add(value.substr(0, at));
      divide(index + 1, value.substr(at + separator.size()));
    }
  }
  std::vector<Secret> take() { return std::move(secrets_); }

 private:
  static constexpr std::size_t count_max = 16;

  void add(std::string_view part) {
    const bool known = std::any_of(secrets_.begin(), secrets_.end(), [part](const Secret& secret) {
      return secret.reveal() == part;
    });
    if (!part.empty() && !known) secrets_.emplace_back(std::string(part));
  }

  const std::vector<std::string_view>& literals_;
  std::vector<Secret> secrets_;
  std::size_t count_ = 0;
};

}  // namespace

bool holds_secret_reference(std::string_view text) {
  return literals_of(text).size() > 1;
}

std::vector<Secret> secrets_inside(std::string_view text, std::string_view value) {
  const auto literals = literals_of(text);
  const std::string_view first = literals.front(), last = literals.back();
  const bool is_made_of_it = literals.size() > 1 && value.size() >= first.size() + last.size() &&
                             value.starts_with(first) && value.ends_with(last);
  if (!is_made_of_it) return {};
  value.remove_prefix(first.size());
  value.remove_suffix(last.size());
  Division division(literals);
  division.divide(0, value);
  return division.take();
}

bool is_secret_name(std::string_view text) {
  return !text.empty() && text.size() <= secret_name_size_max && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(), is_name_character);
}

bool is_config_secret_marker(std::string_view text) {
  return text.starts_with("__hcsecret__:");
}

}  // namespace satellite::agent
