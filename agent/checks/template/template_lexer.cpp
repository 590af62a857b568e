#include "agent/checks/template/template_lexer.hpp"

#include <algorithm>
#include <array>

namespace satellite::agent {
namespace {

using TokenKind = TemplateToken::Kind;

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}
bool is_letter_or_digit(char c) {
  return is_letter(c) || is_digit(c);
}

// Longer ones first, so that `<=` is not read as `<`.
constexpr std::array<std::string_view, 18> all_symbols{
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", ".", ",", "(", ")", "[", "]", "?", ":", "|"};

char unescaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    default:
      return c;
  }
}

}  // namespace

TemplateToken TemplateLexer::take_while(TokenKind kind, bool (*belongs)(char)) {
  const std::size_t begin = position_;
  while (position_ < text_.size() && belongs(text_[position_])) ++position_;
  return {kind, std::string(text_.substr(begin, position_ - begin))};
}

TemplateToken TemplateLexer::take_number() {
  TemplateToken number = take_while(TokenKind::number, is_digit);
  const bool has_fraction =
      position_ + 1 < text_.size() && text_[position_] == '.' && is_digit(text_[position_ + 1]);
  if (!has_fraction) return number;
  ++position_;
  number.text += '.' + take_while(TokenKind::number, is_digit).text;
  return number;
}

TemplateToken TemplateLexer::take_text(char quote) {
  TemplateToken token{TokenKind::text, {}};
  for (++position_; position_ < text_.size(); ++position_) {
    char c = text_[position_];
    if (c == quote) {
      ++position_;
      return token;
    }
    if (c == '\\') {
      if (++position_ == text_.size()) break;
      c = unescaped(text_[position_]);
    }
    token.text += c;
  }
  return {TokenKind::broken, {}};
}

TemplateToken TemplateLexer::take_symbol() {
  const std::string_view rest = text_.substr(position_);
  const auto found =
      std::find_if(all_symbols.begin(), all_symbols.end(),
                   [rest](std::string_view symbol) { return rest.starts_with(symbol); });
  if (found == all_symbols.end()) return {TokenKind::broken, {}};
  position_ += found->size();
  return {TokenKind::symbol, std::string(*found)};
}

TemplateToken TemplateLexer::next() {
  while (position_ < text_.size() && is_space(text_[position_])) ++position_;
  if (position_ >= text_.size()) return {TokenKind::broken, {}};
  if (text_.substr(position_).starts_with("}}")) {
    position_ += 2;
    return {TokenKind::end, {}};
  }
  const char c = text_[position_];
  if (is_digit(c)) return take_number();
  if (c == '\'' || c == '"') return take_text(c);
  if (is_letter(c)) return take_while(TokenKind::identifier, is_letter_or_digit);
  return take_symbol();
}

}  // namespace satellite::agent
