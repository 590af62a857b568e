#pragma once

#include "protocol/vocabulary/result.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace satellite::agent {

/// A JSON value as the people who write templates and scripts know it: with JavaScript's order of
/// keys, number texts and conversions.
///
/// Shape:  cheap to copy, never changed: arrays and objects are shared by the copies, and two
///         values are the same object only if they share it. A default value is `undefined`.
/// Source: ECMA-262 ToString, ToNumber, IsStrictlyEqual; core-contract 3.3, 4.1.
class ScriptValue {
 public:
  struct Undefined {};
  struct Null {};
  using Array = std::vector<ScriptValue>;
  using Object = std::vector<std::pair<std::string, ScriptValue>>;

  ScriptValue() = default;
  static ScriptValue null();
  static ScriptValue boolean(bool value);
  static ScriptValue number(double value);
  static ScriptValue text(std::string value);
  static ScriptValue array(Array entries);
  /// Keys that are array indexes go to the front in rising order, as JavaScript puts them.
  static ScriptValue object(Object members);

  bool is_undefined() const { return std::holds_alternative<Undefined>(value_); }
  bool is_null() const { return std::holds_alternative<Null>(value_); }
  /// Null where the value is of another kind. What they point to lives in this value, so that one
  /// which ends with its statement has none to give.
  const bool* as_boolean() const& { return std::get_if<bool>(&value_); }
  const double* as_number() const& { return std::get_if<double>(&value_); }
  const std::string* as_text() const& { return std::get_if<std::string>(&value_); }
  const Array* as_array() const&;
  const Object* as_object() const&;
  const bool* as_boolean() const&& = delete;
  const double* as_number() const&& = delete;
  const std::string* as_text() const&& = delete;
  const Array* as_array() const&& = delete;
  const Object* as_object() const&& = delete;

  /// `undefined` for a member that is not there, and for members of anything that has none.
  ScriptValue member(std::string_view name) const;

  /// What String(value) gives: `[object Object]`, `a,b`, `undefined`.
  std::string string_form() const;
  /// What JSON.stringify(value) gives; empty for undefined.
  std::string json() const;
  /// What Number(value) gives, NaN included.
  double number_form() const;

  /// Identical: the same text, number or boolean, or the very same array or object.
  bool same_as(const ScriptValue& other) const;
  /// What `typeof` tells apart.
  bool same_type_as(const ScriptValue& other) const;

 private:
  // Shared and immutable: templates hand the same tree around many times.
  using Value = std::variant<Undefined, Null, bool, double, std::string,
                             std::shared_ptr<const Array>, std::shared_ptr<const Object>>;
  explicit ScriptValue(Value value) : value_(std::move(value)) {}
  void append_json(std::string& out) const;

  Value value_;
};

/// Errors: invalid_input if the text is not one JSON value, limit_exceeded past the frame's bounds.
Result<ScriptValue> parse_script_value(std::string_view json_text);

/// `"…"` with JSON.stringify's escapes, and nothing else escaped.
std::string json_quoted(std::string_view text);

/// The order JavaScript sorts texts in: by UTF-16 units, which for a few characters is not the
/// order of code points.
bool sorts_before(std::string_view left, std::string_view right);

/// How many UTF-16 units a UTF-8 text has.
std::size_t utf16_length(std::string_view text);

}  // namespace satellite::agent
