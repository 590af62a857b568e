#pragma once

#include "agent/javascript/script_value.hpp"
#include "protocol/vocabulary/result.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// One expression of a template, parsed.
struct TemplateNode {
  enum class Kind {
    literal,      ///< `literal`
    identifier,   ///< `text`
    member,       ///< children: object; `text`
    index,        ///< children: object, key
    negation,     ///< children: operand
    conjunction,  ///< children: left, right
    disjunction,
    comparison,  ///< children: left, right; `text` is the operator
    filter,      ///< children: input, arguments; `text` is its name
    choice,      ///< children: condition, then, else
  };
  Kind kind = Kind::literal;
  std::string text;
  ScriptValue literal;
  std::vector<std::unique_ptr<TemplateNode>> children;
};

/// A template in parts: literal text, or the expression that stands there.
struct TemplatePart {
  std::string text;
  std::unique_ptr<TemplateNode> expression;  ///< null = literal text
};

/// What a template may cost to read.
inline constexpr std::size_t template_depth_max = 64;
inline constexpr std::size_t template_nodes_max = 512;

/// Template text -> its parts; nothing where it breaks the grammar, which upstream renders as the
/// unchanged text.
///
/// Errors: limit_exceeded for expressions nested or numerous past the bounds above.
/// Source: core-contract 4.1.
Result<std::optional<std::vector<TemplatePart>>> parse_template(std::string_view text);

}  // namespace satellite::agent
