// Recursive descent over the grammar of core-contract 4.1. A broken expression is no error but
// `nothing`; only the bounds are, since they are ours.
#include "agent/checks/template/template_syntax.hpp"

#include "agent/checks/template/template_lexer.hpp"

#include <charconv>
#include <utility>

namespace satellite::agent {
namespace {

using TokenKind = TemplateToken::Kind;
using NodePtr = std::unique_ptr<TemplateNode>;

NodePtr node(TemplateNode::Kind kind, std::string text = {}) {
  auto made = std::make_unique<TemplateNode>();
  made->kind = kind;
  made->text = std::move(text);
  return made;
}

NodePtr literal(ScriptValue value) {
  auto made = node(TemplateNode::Kind::literal);
  made->literal = std::move(value);
  return made;
}

/// Every function gives null once something is broken, and null goes up from there.
class Parser {
 public:
  Parser(std::string_view text, std::size_t position) : lexer_(text, position) { take(); }

  NodePtr expression_until_end() {
    NodePtr parsed = expression();
    return parsed && token_.kind == TokenKind::end ? std::move(parsed) : nullptr;
  }
  std::size_t position() const { return lexer_.position(); }
  bool too_much() const { return too_much_; }

 private:
  void take() { token_ = lexer_.next(); }
  bool is_symbol(std::string_view symbol) const {
    return token_.kind == TokenKind::symbol && token_.text == symbol;
  }
  bool take_symbol(std::string_view symbol) {
    if (!is_symbol(symbol)) return false;
    take();
    return true;
  }

  NodePtr joined(TemplateNode::Kind kind, std::string text, NodePtr left, NodePtr right) {
    if (!left || !right || ++nodes_ > template_nodes_max) {
      too_much_ = too_much_ || nodes_ > template_nodes_max;
      return nullptr;
    }
    auto made = node(kind, std::move(text));
    made->children.push_back(std::move(left));
    made->children.push_back(std::move(right));
    return made;
  }

  NodePtr expression() {
    if (++depth_ > template_depth_max) {
      too_much_ = true;
      return nullptr;
    }
    NodePtr condition = pipe();
    if (condition && take_symbol("?")) condition = choice(std::move(condition));
    --depth_;
    return condition;
  }

  NodePtr choice(NodePtr condition) {
    NodePtr when_true = expression();
    if (!when_true || !take_symbol(":")) return nullptr;
    NodePtr when_false = expression();
    auto made = joined(TemplateNode::Kind::choice, {}, std::move(condition), std::move(when_true));
    if (!made || !when_false) return nullptr;
    made->children.push_back(std::move(when_false));
    return made;
  }

  NodePtr pipe() {
    NodePtr input = disjunction();
    while (input && take_symbol("|")) {
      if (token_.kind != TokenKind::identifier || ++nodes_ > template_nodes_max) return nullptr;
      auto made = node(TemplateNode::Kind::filter, token_.text);
      made->children.push_back(std::move(input));
      take();
      if (take_symbol("(") && !arguments(*made)) return nullptr;
      input = std::move(made);
    }
    return input;
  }

  bool arguments(TemplateNode& filter) {
    if (take_symbol(")")) return true;
    do {
      NodePtr argument = expression();
      if (!argument) return false;
      filter.children.push_back(std::move(argument));
    } while (take_symbol(","));
    return take_symbol(")");
  }

  template <typename Operand>
  NodePtr left_associative(TemplateNode::Kind kind, std::initializer_list<std::string_view> symbols,
                           Operand operand) {
    NodePtr left = operand();
    for (bool again = true; left && again;) {
      again = false;
      for (const std::string_view symbol : symbols) {
        if (!is_symbol(symbol)) continue;
        take();
        NodePtr right = operand();
        left = joined(kind, std::string(symbol), std::move(left), std::move(right));
        again = true;
        break;
      }
    }
    return left;
  }

  NodePtr disjunction() {
    return left_associative(TemplateNode::Kind::disjunction, {"||"},
                            [this] { return conjunction(); });
  }
  NodePtr conjunction() {
    return left_associative(TemplateNode::Kind::conjunction, {"&&"}, [this] { return equality(); });
  }
  NodePtr equality() {
    return left_associative(TemplateNode::Kind::comparison, {"==", "!="},
                            [this] { return relation(); });
  }
  NodePtr relation() {
    return left_associative(TemplateNode::Kind::comparison, {"<=", ">=", "<", ">"},
                            [this] { return unary(); });
  }

  NodePtr unary() {
    const bool negates =
        is_symbol("!") || (token_.kind == TokenKind::identifier && token_.text == "not");
    if (!negates) return postfix();
    take();
    if (++depth_ > template_depth_max) {
      too_much_ = true;
      return nullptr;
    }
    NodePtr operand = unary();
    --depth_;
    if (!operand) return nullptr;
    auto made = node(TemplateNode::Kind::negation);
    made->children.push_back(std::move(operand));
    return made;
  }

  NodePtr postfix() {
    NodePtr object = primary();
    while (object && (is_symbol(".") || is_symbol("["))) {
      if (++nodes_ > template_nodes_max) return too_much_ = true, nullptr;
      object = is_symbol(".") ? member(std::move(object)) : index(std::move(object));
    }
    return object;
  }

  NodePtr member(NodePtr object) {
    take();
    const bool is_literal =
        token_.text == "true" || token_.text == "false" || token_.text == "null";
    if (token_.kind != TokenKind::identifier || is_literal) return nullptr;
    auto made = node(TemplateNode::Kind::member, token_.text);
    made->children.push_back(std::move(object));
    take();
    return made;
  }

  NodePtr index(NodePtr object) {
    take();
    NodePtr key = expression();
    if (!take_symbol("]")) return nullptr;
    return joined(TemplateNode::Kind::index, {}, std::move(object), std::move(key));
  }

  NodePtr primary() {
    if (take_symbol("(")) {
      NodePtr inner = expression();
      return take_symbol(")") ? std::move(inner) : nullptr;
    }
    const TemplateToken token = token_;
    if (token.kind == TokenKind::broken || token.kind == TokenKind::end ||
        token.kind == TokenKind::symbol) {
      return nullptr;
    }
    take();
    if (token.kind == TokenKind::text) return literal(ScriptValue::text(token.text));
    if (token.kind == TokenKind::number) {
      double value = 0;
      std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
      return literal(ScriptValue::number(value));
    }
    if (token.text == "true" || token.text == "false") {
      return literal(ScriptValue::boolean(token.text == "true"));
    }
    if (token.text == "null") return literal(ScriptValue::null());
    return node(TemplateNode::Kind::identifier, token.text);
  }

  TemplateLexer lexer_;
  TemplateToken token_;
  std::size_t depth_ = 0, nodes_ = 0;
  bool too_much_ = false;
};

}  // namespace

Result<std::optional<std::vector<TemplatePart>>> parse_template(std::string_view text) {
  using Parts = std::vector<TemplatePart>;
  Parts parts;
  std::size_t position = 0;
  while (position < text.size()) {
    const std::size_t opening = text.find("{{", position);
    if (opening != position) {
      parts.push_back({std::string(text.substr(position, opening - position)), nullptr});
    }
    if (opening == std::string_view::npos) break;
    Parser parser(text, opening + 2);
    NodePtr expression = parser.expression_until_end();
    if (parser.too_much() || parts.size() > template_nodes_max) {
      return Error{ErrorCode::limit_exceeded, "the template is nested too deep or too long"};
    }
    if (!expression) return std::optional<Parts>();
    parts.push_back({{}, std::move(expression)});
    position = parser.position();
  }
  return std::optional<Parts>(std::move(parts));
}

}  // namespace satellite::agent
