#include "agent/javascript/script_value.hpp"

#include "agent/javascript/javascript_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace satellite::agent {
namespace {

/// The number of a key such as `0` or `17`, which JavaScript keeps in front of other keys.
bool is_array_index(std::string_view key, std::uint32_t& index) {
  if (key.empty() || key.size() > 10 || (key.size() > 1 && key.front() == '0')) return false;
  const auto [end, problem] = std::from_chars(key.data(), key.data() + key.size(), index);
  return problem == std::errc{} && end == key.data() + key.size() &&
         index != std::numeric_limits<std::uint32_t>::max();
}

double number_with_base(std::string_view digits, int base) {
  double value = 0;
  for (const char c : digits) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : base;
    if (digit >= base) return std::nan("");
    value = value * base + digit;
  }
  return value;
}

double number_in(std::string_view whole) {
  const std::string trimmed = javascript_trimmed(whole);
  std::string_view text = trimmed;
  if (text.empty()) return 0;
  if (text.size() > 2 && text[0] == '0') {
    const char kind = text[1];
    if (kind == 'x' || kind == 'X') return number_with_base(text.substr(2), 16);
    if (kind == 'o' || kind == 'O') return number_with_base(text.substr(2), 8);
    if (kind == 'b' || kind == 'B') return number_with_base(text.substr(2), 2);
  }
  const bool negative = text.front() == '-';
  if (negative || text.front() == '+') text.remove_prefix(1);
  const double sign = negative ? -1 : 1;
  if (text == "Infinity") return sign * std::numeric_limits<double>::infinity();
  // from_chars also reads `inf`, `nan` and a second sign, which JavaScript does not.
  if (text.empty() || (text.front() != '.' && (text.front() < '0' || text.front() > '9'))) {
    return std::nan("");
  }
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return std::nan("");
  if (problem == std::errc::result_out_of_range) {
    const bool tiny =
        text.find("e-") != std::string_view::npos || text.find("E-") != std::string_view::npos;
    return tiny ? sign * 0.0 : sign * std::numeric_limits<double>::infinity();
  }
  return problem == std::errc{} ? sign * value : std::nan("");
}

}  // namespace

ScriptValue ScriptValue::null() {
  return ScriptValue(Value(Null{}));
}
ScriptValue ScriptValue::boolean(bool value) {
  return ScriptValue(Value(value));
}
ScriptValue ScriptValue::number(double value) {
  return ScriptValue(Value(value));
}
ScriptValue ScriptValue::text(std::string value) {
  return ScriptValue(Value(std::move(value)));
}
ScriptValue ScriptValue::array(Array entries) {
  return ScriptValue(Value(std::make_shared<const Array>(std::move(entries))));
}

ScriptValue ScriptValue::object(Object members) {
  std::uint32_t index = 0;
  const auto named = std::stable_partition(
      members.begin(), members.end(),
      [&index](const auto& member) { return is_array_index(member.first, index); });
  std::stable_sort(members.begin(), named, [](const auto& left, const auto& right) {
    std::uint32_t left_index = 0, right_index = 0;
    is_array_index(left.first, left_index);
    is_array_index(right.first, right_index);
    return left_index < right_index;
  });
  return ScriptValue(Value(std::make_shared<const Object>(std::move(members))));
}

const ScriptValue::Array* ScriptValue::as_array() const& {
  const auto* array = std::get_if<std::shared_ptr<const Array>>(&value_);
  return array == nullptr ? nullptr : array->get();
}

const ScriptValue::Object* ScriptValue::as_object() const& {
  const auto* object = std::get_if<std::shared_ptr<const Object>>(&value_);
  return object == nullptr ? nullptr : object->get();
}

ScriptValue ScriptValue::member(std::string_view name) const {
  if (const Object* object = as_object()) {
    const auto found = std::find_if(object->begin(), object->end(),
                                    [name](const auto& member) { return member.first == name; });
    return found == object->end() ? ScriptValue() : found->second;
  }
  const Array* array = as_array();
  if (array == nullptr) return {};
  if (name == "length") return number(static_cast<double>(array->size()));
  std::uint32_t index = 0;
  const bool found = is_array_index(name, index) && index < array->size();
  return found ? (*array)[index] : ScriptValue();
}

std::string ScriptValue::string_form() const {
  if (is_undefined()) return "undefined";
  if (is_null()) return "null";
  if (const bool* flag = as_boolean()) return *flag ? "true" : "false";
  if (const double* value = as_number()) return javascript_number_text(*value);
  if (const std::string* value = as_text()) return *value;
  const Array* array = as_array();
  if (array == nullptr) return "[object Object]";
  std::string joined;
  for (std::size_t i = 0; i < array->size(); ++i) {
    if (i > 0) joined += ',';
    const ScriptValue& entry = (*array)[i];
    if (!entry.is_undefined() && !entry.is_null()) joined += entry.string_form();
  }
  return joined;
}

void ScriptValue::append_json(std::string& out) const {
  if (const std::string* value = as_text()) {
    out += json_quoted(*value);
  } else if (const double* value_number = as_number()) {
    out += std::isfinite(*value_number) ? javascript_number_text(*value_number) : "null";
  } else if (const Array* array = as_array()) {
    out += '[';
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (i > 0) out += ',';
      (*array)[i].append_json(out);
    }
    out += ']';
  } else if (const Object* object = as_object()) {
    out += '{';
    bool first = true;
    for (const auto& [key, member] : *object) {
      if (member.is_undefined()) continue;
      if (!first) out += ',';
      first = false;
      out += json_quoted(key) + ':';
      member.append_json(out);
    }
    out += '}';
  } else {
    // In an array an undefined entry becomes null, too.
    out += as_boolean() != nullptr ? string_form() : "null";
  }
}

std::string ScriptValue::json() const {
  std::string out;
  if (!is_undefined()) append_json(out);
  return out;
}

double ScriptValue::number_form() const {
  if (is_undefined() || as_object() != nullptr) return std::nan("");
  if (is_null()) return 0;
  if (const bool* flag = as_boolean()) return *flag ? 1 : 0;
  if (const double* value = as_number()) return *value;
  return number_in(string_form());
}

bool ScriptValue::same_as(const ScriptValue& other) const {
  if (value_.index() != other.value_.index()) return false;
  if (const bool* flag = as_boolean()) return *flag == *other.as_boolean();
  if (const double* value = as_number()) return *value == *other.as_number();
  if (const std::string* value = as_text()) return *value == *other.as_text();
  return as_array() == other.as_array() && as_object() == other.as_object();
}

bool ScriptValue::same_type_as(const ScriptValue& other) const {
  const auto type = [](const Value& value) {
    // null, arrays and objects are all `object`.
    const std::size_t index = value.index();
    return index == 1 || index > 4 ? std::size_t{5} : index;
  };
  return type(value_) == type(other.value_);
}

std::string json_quoted(std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  constexpr std::string_view escaped = "\b\t\n\f\r\"\\";
  constexpr std::string_view letters = "btnfr\"\\";
  std::string out = "\"";
  for (const char c : text) {
    const auto known = escaped.find(c);
    if (known != std::string_view::npos) {
      out += '\\';
      out += letters[known];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += hex[static_cast<unsigned char>(c) >> 4U];
      out += hex[static_cast<unsigned char>(c) & 0xFU];
    } else {
      out += c;
    }
  }
  return out += '"';
}

bool sorts_before(std::string_view left, std::string_view right) {
  const auto [a, b] = std::mismatch(left.begin(), left.end(), right.begin(), right.end());
  if (b == right.end()) return false;
  if (a == left.end()) return true;
  // Characters past U+FFFF are surrogates in UTF-16 and stand before U+E000.
  const auto rank = [](char c) {
    const auto byte = static_cast<unsigned>(static_cast<unsigned char>(c));
    return byte >= 0xF0U ? 0xEDU * 16 + 1 + (byte - 0xF0U) : byte * 16;
  };
  return rank(*a) < rank(*b);
}

std::size_t utf16_length(std::string_view text) {
  std::size_t units = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0U) != 0x80U) ++units;
    if (byte >= 0xF0U) ++units;
  }
  return units;
}

}  // namespace satellite::agent
