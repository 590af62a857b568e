#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace satellite::agent {

struct TemplateToken {
  enum class Kind { number, text, identifier, symbol, end, broken };
  Kind kind = Kind::broken;
  std::string text;  ///< a text's content, otherwise the token as written
};

/// Cuts one `{{ … }}` of a template into tokens; begins behind the opening braces.
///
/// Shape:  `}}` between two tokens is the end; whatever the language does not know is broken, and
///         so is an expression that never ends.
/// Source: core-contract 4.1.
class TemplateLexer {
 public:
  TemplateLexer(std::string_view text, std::size_t position) : text_(text), position_(position) {}

  TemplateToken next();
  /// Behind the last token taken; after the end, behind the closing braces.
  std::size_t position() const { return position_; }

 private:
  TemplateToken take_text(char quote);
  TemplateToken take_while(TemplateToken::Kind kind, bool (*belongs)(char));
  TemplateToken take_number();
  TemplateToken take_symbol();

  std::string_view text_;
  std::size_t position_;
};

}  // namespace satellite::agent
