#include "agent/checks/template/template_engine.hpp"

#include "agent/checks/template/template_filters.hpp"
#include "agent/checks/template/template_syntax.hpp"

#include <cmath>
#include <utility>

namespace satellite::agent {
namespace {

using Kind = TemplateNode::Kind;

bool equal(const ScriptValue& left, const ScriptValue& right) {
  if (left.same_as(right)) return true;
  const auto is_nothing = [](const ScriptValue& value) {
    return value.is_null() || value.is_undefined();
  };
  if (is_nothing(left) || is_nothing(right) || left.same_type_as(right)) return false;
  return left.string_form() == right.string_form();
}

bool less(const ScriptValue& left, const ScriptValue& right) {
  const double left_number = left.number_form();
  const double right_number = right.number_form();
  if (std::isfinite(left_number) && std::isfinite(right_number)) return left_number < right_number;
  return sorts_before(left.string_form(), right.string_form());
}

bool compared(const std::string& symbol, const ScriptValue& left, const ScriptValue& right) {
  if (symbol == "==") return equal(left, right);
  if (symbol == "!=") return !equal(left, right);
  if (symbol == "<") return less(left, right);
  if (symbol == ">") return less(right, left);
  if (symbol == "<=") return !less(right, left);
  return !less(left, right);
}

/// Evaluates within one rendering; recursion is no deeper than the parser's bounds allow.
class Evaluation {
 public:
  Evaluation(const ScriptValue& scope, ScriptDate now) : scope_(scope), now_(now) {}

  Result<ScriptValue> value_of(const TemplateNode& node) const {
    switch (node.kind) {
      case Kind::literal:
        return node.literal;
      case Kind::identifier:
        return scope_.member(node.text);
      case Kind::conjunction:
      case Kind::disjunction:
        return either(node);
      case Kind::choice:
        return chosen(node);
      case Kind::filter:
        return filtered(node);
      case Kind::member:
      case Kind::negation:
        return of_one(node);
      case Kind::index:
      case Kind::comparison:
        return of_two(node);
    }
    return ScriptValue();
  }

 private:
  Result<ScriptValue> either(const TemplateNode& node) const {
    auto left = value_of(*node.children[0]);
    if (!left) return left;
    const bool decided = is_truthy(*left) == (node.kind == Kind::disjunction);
    return decided ? left : value_of(*node.children[1]);
  }

  Result<ScriptValue> chosen(const TemplateNode& node) const {
    const auto condition = value_of(*node.children[0]);
    if (!condition) return condition.error();
    return value_of(*node.children[is_truthy(*condition) ? 1 : 2]);
  }

  Result<ScriptValue> filtered(const TemplateNode& node) const {
    const auto input = value_of(*node.children[0]);
    if (!input) return input.error();
    std::vector<ScriptValue> arguments;
    for (std::size_t i = 1; i < node.children.size(); ++i) {
      auto argument = value_of(*node.children[i]);
      if (!argument) return argument;
      arguments.push_back(*std::move(argument));
    }
    return apply_filter(node.text, *input, arguments, now_);
  }

  Result<ScriptValue> of_one(const TemplateNode& node) const {
    const auto operand = value_of(*node.children[0]);
    if (!operand) return operand.error();
    if (node.kind == Kind::negation) return ScriptValue::boolean(!is_truthy(*operand));
    return operand->member(node.text);
  }

  Result<ScriptValue> of_two(const TemplateNode& node) const {
    const auto left = value_of(*node.children[0]);
    if (!left) return left.error();
    const auto right = value_of(*node.children[1]);
    if (!right) return right.error();
    if (node.kind == Kind::comparison) {
      return ScriptValue::boolean(compared(node.text, *left, *right));
    }
    return left->member(right->is_undefined() ? std::string() : right->string_form());
  }

  const ScriptValue& scope_;
  ScriptDate now_;
};

std::string output_text(const ScriptValue& value) {
  if (value.is_undefined() || value.is_null()) return {};
  const bool is_tree = value.as_array() != nullptr || value.as_object() != nullptr;
  return is_tree ? value.json() : value.string_form();
}

}  // namespace

Result<std::string> render_template(std::string_view text, const ScriptValue& scope,
                                    ScriptDate now) {
  if (text.find("{{") == std::string_view::npos) return std::string(text);
  const auto parts = parse_template(text);
  if (!parts) return parts.error();
  if (!*parts) return std::string(text);
  const Evaluation evaluation(scope, now);
  std::string rendered;
  for (const TemplatePart& part : **parts) {
    if (!part.expression) {
      rendered += part.text;
      continue;
    }
    const auto value = evaluation.value_of(*part.expression);
    if (!value) return value.error();
    rendered += output_text(*value);
    if (rendered.size() > template_text_size_max.value) {
      return Error{ErrorCode::limit_exceeded, "the rendered template is longer than 1 MiB"};
    }
  }
  return rendered;
}

}  // namespace satellite::agent
