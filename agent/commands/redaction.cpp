// One pass over the text. At each place a few rules are asked whether a secret begins there; each
// answers with how much is copied as it is and how much is hidden behind that.
#include "agent/commands/redaction.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

namespace satellite::agent {
namespace {

// Words of fewer characters are names of things more often than secrets.
constexpr std::size_t mixed_word_min = 20, number_word_min = 32;

/// From the place that was looked at: so much stays, so much behind it is hidden.
struct Hidden {
  std::size_t kept = 0, hidden = 0;
};
using Verdict = std::optional<Hidden>;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool ends_value(char c) {
  return is_space(c) || c == '"' || c == '\'' || c == ',' || c == ';' || c == '&' || c == '<' ||
         c == '>' || c == ')' || c == '}' || c == ']';
}

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return std::isalnum(byte) != 0 || c == '_' || c == '-' || c == '+';
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool begins_with(std::string_view text, std::string_view lower_word) {
  if (text.size() < lower_word.size()) return false;
  return std::equal(lower_word.begin(), lower_word.end(), text.begin(),
                    [](char wanted, char c) { return wanted == lower(c); });
}

/// Up to the quote that ends a value, or the end of its line; a quote behind a backslash is its
/// own.
std::size_t size_until_quote(std::string_view text, char quote) {
  std::size_t at = 0;
  while (at < text.size() && text[at] != quote && text[at] != '\n') {
    const bool is_escaped = text[at] == '\\' && at + 1 < text.size();
    at += is_escaped ? 2U : 1U;
  }
  return at;
}

template <typename Ends>
std::size_t size_until(std::string_view text, Ends ends) {
  return static_cast<std::size_t>(std::find_if(text.begin(), text.end(), ends) - text.begin());
}

/// `://user:password@` -> what stands before the @.
Verdict user_in_url(std::string_view text) {
  constexpr std::string_view begin = "://";
  if (!text.starts_with(begin)) return std::nullopt;
  const std::string_view rest = text.substr(begin.size());
  const std::string_view authority = rest.substr(
      0, size_until(rest, [](char c) { return ends_value(c) || c == '/' || c == '?'; }));
  const std::size_t at = authority.rfind('@');
  if (at == std::string_view::npos || at == 0) return std::nullopt;
  return Hidden{begin.size(), at};
}

/// The query of a URL or of a request's target; a question mark at the end of a word is none.
Verdict query(std::string_view text) {
  if (!text.starts_with('?')) return std::nullopt;
  const std::string_view rest = text.substr(1);
  const auto ends = [](char c) { return is_space(c) || c == '"' || c == '\'' || c == '>'; };
  // Where its first name would end: a text of nothing but question marks is not read again and
  // again.
  constexpr std::size_t name_max = 64;
  const std::string_view begin = rest.substr(0, size_until(rest.substr(0, name_max), ends));
  if (begin.find('=') == std::string_view::npos) return std::nullopt;
  return Hidden{1, size_until(rest, ends)};
}

constexpr std::array<std::string_view, 13> names_of_secrets{
    "password", "passwd",     "passphrase",  "pwd",        "secret",     "api_key",     "apikey",
    "api-key",  "access_key", "private_key", "credential", "auth_token", "access_token"};

/// How long the name of a secret is that ends at the sign behind it; 0 = none begins here.
std::size_t name_of_secret(std::string_view text) {
  for (const std::string_view name : names_of_secrets) {
    if (!begins_with(text, name)) continue;
    const std::string_view rest = text.substr(name.size());
    return name.size() + (begins_with(rest, "s") ? 1 : 0);
  }
  constexpr std::string_view token = "token";
  return begins_with(text, token) ? token.size() : 0;
}

/// `password=…`, `token: …`, `"secret": "…"`.
Verdict named_value(std::string_view text) {
  const std::size_t name = name_of_secret(text);
  if (name == 0) return std::nullopt;
  std::size_t at = name;
  const auto has = [&](auto accepts) { return at < text.size() && accepts(text[at]); };
  const auto is_quote = [](char c) { return c == '"' || c == '\''; };
  if (has(is_quote)) ++at;
  while (has([](char c) { return c == ' '; })) ++at;
  if (!has([](char c) { return c == '=' || c == ':'; })) return std::nullopt;
  ++at;
  while (has([](char c) { return c == ' '; })) ++at;
  const bool is_quoted = has(is_quote);
  const char quote = is_quoted ? text[at] : ' ';
  if (is_quoted) ++at;
  const std::string_view value = text.substr(at);
  const std::size_t size =
      is_quoted ? size_until_quote(value, quote) : size_until(value, ends_value);
  if (size == 0) return std::nullopt;
  return Hidden{at, size};
}

/// `Bearer …`, `Basic …`.
Verdict credentials_of_request(std::string_view text) {
  for (const std::string_view scheme : {"bearer ", "basic ", "negotiate ", "digest "}) {
    if (!begins_with(text, scheme)) continue;
    const std::size_t size = size_until(text.substr(scheme.size()), ends_value);
    // A sentence may speak of it.
    constexpr std::size_t credentials_min = 6;
    if (size >= credentials_min) return Hidden{scheme.size(), size};
  }
  return std::nullopt;
}

/// From the line that begins a private key to the one that ends it, or to the end of the text.
Verdict private_key(std::string_view text) {
  if (!text.starts_with("-----BEGIN ")) return std::nullopt;
  // The longest of the names is that of an encrypted key.
  constexpr std::size_t first_line_max = 64;
  std::string_view first_line = text.substr(0, first_line_max);
  first_line = first_line.substr(0, first_line.find_first_of("\n\\"));
  if (first_line.find("PRIVATE KEY") == std::string_view::npos) return std::nullopt;
  constexpr std::string_view end = "-----END ";
  const std::size_t last = text.find(end);
  if (last == std::string_view::npos) return Hidden{0, text.size()};
  const std::size_t dashes = text.find("-----", last + end.size());
  return Hidden{0, dashes == std::string_view::npos ? text.size() : dashes + 5};
}

constexpr std::array<std::string_view, 12> beginnings_of_tokens{
    "csat_", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-",
    "xox",   "sk-",  "AKIA", "ASIA", "eyJ",         "hvs."};

Verdict token_word(std::string_view text) {
  for (const std::string_view beginning : beginnings_of_tokens) {
    if (!text.starts_with(beginning)) continue;
    // Tokens in three parts have dots between them.
    const std::size_t size = size_until(text, [](char c) { return !is_word(c) && c != '.'; });
    constexpr std::size_t rest_min = 4;
    if (size >= beginning.size() + rest_min || beginning == "csat_") return Hidden{0, size};
  }
  return std::nullopt;
}

bool is_hexadecimal(char c) {
  return std::isxdigit(static_cast<unsigned char>(c)) != 0;
}

/// A word that nobody would think up, as it stands alone.
Verdict random_word(std::string_view text) {
  std::size_t size = size_until(text, [](char c) { return !is_word(c); });
  const std::string_view word = text.substr(0, size);
  const auto has = [word](int (*kind)(int)) {
    return std::any_of(word.begin(), word.end(),
                       [kind](char c) { return kind(static_cast<unsigned char>(c)) != 0; });
  };
  const bool is_mixed =
      size >= mixed_word_min && has(std::islower) && has(std::isupper) && has(std::isdigit);
  const bool is_number =
      size >= number_word_min && std::all_of(word.begin(), word.end(), is_hexadecimal);
  if (!is_mixed && !is_number) return std::nullopt;
  while (size < text.size() && text[size] == '=') ++size;
  return Hidden{0, size};
}

/// Pins are meant to be seen: they name public keys.
constexpr std::string_view pin_beginning = "sha256/";

Verdict secret_at(std::string_view text, std::size_t at) {
  const std::string_view here = text.substr(at);
  const bool begins_word = at == 0 || !is_word(text[at - 1]);
  for (const auto rule : {user_in_url, query, private_key}) {
    if (auto found = rule(here)) return found;
  }
  if (std::isalnum(static_cast<unsigned char>(here.front())) == 0 && here.front() != '_') {
    return std::nullopt;
  }
  // Behind `DATABASE_` as well.
  if (auto found = named_value(here)) return found;
  if (!begins_word) return std::nullopt;
  if (at >= pin_beginning.size() && text.substr(0, at).ends_with(pin_beginning)) {
    return std::nullopt;
  }
  for (const auto rule : {credentials_of_request, token_word, random_word}) {
    if (auto found = rule(here)) return found;
  }
  return std::nullopt;
}

/// In JSON a quote within a text has a backslash before it; without that it would end the text.
void leave_escaped_quote(std::string_view text, Hidden& found) {
  const std::size_t end = found.kept + found.hidden;
  if (end < text.size() && text[end] == '"' && found.hidden > 0 && text[end - 1] == '\\') {
    --found.hidden;
  }
}

}  // namespace

Redaction::Redaction(std::vector<Secret> known) : known_(std::move(known)) {
  std::vector<std::string_view> values;
  for (const Secret& one : known_) values.push_back(one.reveal());
  patterns_ = std::make_unique<sandbox::SecretPatterns>(values);
}

std::string Redaction::applied_to(std::string_view text) const {
  sandbox::Masker masker(*patterns_);
  std::string masked(masker.feed(text));
  masked += masker.finish();
  std::string redacted = without_likely_secrets(masked);
  return redacted;
}

std::string without_likely_secrets(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    Verdict found = secret_at(text, at);
    if (found) leave_escaped_quote(text.substr(at), *found);
    if (!found || found->hidden == 0) {
      out += text[at++];
      continue;
    }
    out += text.substr(at, found->kept);
    out += sandbox::mask_text;
    at += found->kept + found->hidden;
  }
  return out;
}

}  // namespace satellite::agent
