#include "agent/checks/template/template_filters.hpp"

#include "agent/javascript/javascript_text.hpp"
#include "agent/javascript/unicode_case.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

namespace satellite::agent {
namespace {

struct FilterCall {
  const ScriptValue& input;
  const std::vector<ScriptValue>& arguments;
  ScriptDate now;

  ScriptValue argument(std::size_t index) const {
    return index < arguments.size() ? arguments[index] : ScriptValue();
  }
};
using Filtered = Result<ScriptValue>;

Error too_long() {
  return Error{ErrorCode::limit_exceeded, "a text of the template grew past 1 MiB"};
}

/// Texts through `change`, everything else unchanged.
template <typename Change>
ScriptValue changed_text(const FilterCall& call, Change change) {
  const std::string* text = call.input.as_text();
  return text == nullptr ? call.input : ScriptValue::text(change(*text));
}

/// Where one character begins and ends in UTF-8, which the texts here are.
std::size_t character_size(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

std::string truncated(const std::string& text, double length) {
  if (!std::isfinite(length) || length <= 0) return text;
  if (static_cast<double>(utf16_length(text)) <= length) return text;
  const auto kept_max = static_cast<std::size_t>(length);
  std::size_t units = 0, position = 0;
  while (position < text.size() && units < kept_max) {
    const std::size_t size = character_size(text[position]);
    units += size == 4 ? 2 : 1;
    position += size;
    if (units > kept_max) {
      // JavaScript would cut the character in two and keep half of it.
      return text.substr(0, position - size) + "\uFFFD\u2026";
    }
  }
  return text.substr(0, position) + "\u2026";
}

Filtered truncate(const FilterCall& call) {
  const double length = call.argument(0).number_form();
  return changed_text(call, [length](const std::string& text) { return truncated(text, length); });
}

Filtered length(const FilterCall& call) {
  std::size_t size = 0;
  if (const std::string* text = call.input.as_text()) size = utf16_length(*text);
  if (const auto* array = call.input.as_array()) size = array->size();
  if (const auto* object = call.input.as_object()) size = object->size();
  return ScriptValue::number(static_cast<double>(size));
}

Filtered or_default(const FilterCall& call) {
  const std::string* text = call.input.as_text();
  const bool is_missing =
      call.input.is_undefined() || call.input.is_null() || (text != nullptr && text->empty());
  return is_missing ? call.argument(0) : call.input;
}

Filtered to_json(const FilterCall& call) {
  return call.input.is_undefined() ? ScriptValue() : ScriptValue::text(call.input.json());
}

Filtered iso(const FilterCall& call) {
  const auto date = date_of(call.input);
  return date ? ScriptValue::text(iso_text(*date)) : call.input;
}

Filtered date(const FilterCall& call) {
  const auto point = date_of(call.input);
  if (!point) return call.input;
  const std::string form = call.argument(0).string_form();
  if (form == "date") return ScriptValue::text(iso_text(*point).substr(0, 10));
  if (form == "time") return ScriptValue::text(iso_text(*point).substr(11, 8));
  if (form == "rfc2822") return ScriptValue::text(rfc2822_text(*point));
  if (form == "unix") {
    return ScriptValue::number(std::floor(static_cast<double>(point->milliseconds) / 1000));
  }
  return ScriptValue::text(iso_text(*point));
}

Filtered join(const FilterCall& call) {
  const auto* array = call.input.as_array();
  if (array == nullptr) return call.input;
  const ScriptValue separator = call.argument(0);
  const std::string* const text = separator.as_text();
  const std::string between = text == nullptr ? ", " : *text;
  std::string joined;
  for (std::size_t i = 0; i < array->size(); ++i) {
    if (i > 0) joined += between;
    const ScriptValue& entry = (*array)[i];
    if (!entry.is_undefined() && !entry.is_null()) joined += entry.string_form();
    if (joined.size() > template_text_size_max.value) return too_long();
  }
  return ScriptValue::text(std::move(joined));
}

/// What `text.split("").join(between)` gives: JavaScript splits between UTF-16 units, which leaves
/// two halves of a character past U+FFFF; neither can be written in UTF-8.
Filtered put_between_characters(const std::string& text, const std::string& between) {
  if (between.empty()) return ScriptValue::text(text);
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character_size(text[at]);
    if (at > 0) result += between;
    result += size == 4 ? "\uFFFD" + between + "\uFFFD" : text.substr(at, size);
    at += size;
    if (result.size() > template_text_size_max.value) return too_long();
  }
  return ScriptValue::text(std::move(result));
}

Filtered replace(const FilterCall& call) {
  const std::string* text = call.input.as_text();
  if (text == nullptr) return call.input;
  const ScriptValue first = call.argument(0);
  const std::string wanted = first.is_undefined() ? std::string() : first.string_form();
  const ScriptValue second = call.argument(1);
  const std::string other = second.is_undefined() ? std::string() : second.string_form();
  if (wanted.empty()) return put_between_characters(*text, other);
  std::string replaced;
  std::size_t position = 0;
  for (auto found = text->find(wanted); found != std::string::npos;
       found = text->find(wanted, position)) {
    replaced.append(*text, position, found - position).append(other);
    position = found + wanted.size();
    if (replaced.size() > template_text_size_max.value) return too_long();
  }
  return ScriptValue::text(replaced.append(*text, position));
}

/// Number(value), or 0 where that is no number.
double number_or_zero(const ScriptValue& value) {
  const double number = value.number_form();
  return std::isfinite(number) ? number : 0;
}

Filtered times(const FilterCall& call, double milliseconds) {
  return ScriptValue::number(number_or_zero(call.input) * milliseconds);
}

std::optional<double> age(const FilterCall& call) {
  const auto date = date_of(call.input);
  if (!date) return std::nullopt;
  return static_cast<double>(call.now.milliseconds - date->milliseconds);
}

Filtered older_than(const FilterCall& call) {
  const auto milliseconds = age(call);
  const double limit = number_or_zero(call.argument(0));
  return ScriptValue::boolean(milliseconds && *milliseconds > limit);
}

using Filter = Filtered (*)(const FilterCall&);
constexpr std::array<std::pair<std::string_view, Filter>, 17> filters{{
    {"default", or_default},
    {"upper", [](const FilterCall& call) -> Filtered { return changed_text(call, upper_case); }},
    {"lower", [](const FilterCall& call) -> Filtered { return changed_text(call, lower_case); }},
    {"capitalize",
     [](const FilterCall& call) -> Filtered { return changed_text(call, capitalised); }},
    {"trim",
     [](const FilterCall& call) -> Filtered { return changed_text(call, javascript_trimmed); }},
    {"truncate", truncate},
    {"length", length},
    {"json", to_json},
    {"iso", iso},
    {"date", date},
    {"join", join},
    {"replace", replace},
    {"not",
     [](const FilterCall& call) -> Filtered {
       return ScriptValue::boolean(!is_truthy(call.input));
     }},
    {"minutes", [](const FilterCall& call) -> Filtered { return times(call, 60'000); }},
    {"hours", [](const FilterCall& call) -> Filtered { return times(call, 3'600'000); }},
    {"duration_since",
     [](const FilterCall& call) -> Filtered {
       return ScriptValue::number(std::max(0.0, age(call).value_or(0)));
     }},
    {"older_than", older_than},
}};

}  // namespace

bool is_truthy(const ScriptValue& value) {
  if (const bool* flag = value.as_boolean()) return *flag;
  if (const double* number = value.as_number()) return *number != 0 && !std::isnan(*number);
  if (const std::string* text = value.as_text()) return !text->empty();
  if (const auto* array = value.as_array()) return !array->empty();
  const auto* object = value.as_object();
  return object != nullptr && !object->empty();
}

Result<ScriptValue> apply_filter(std::string_view name, const ScriptValue& input,
                                 const std::vector<ScriptValue>& arguments, ScriptDate now) {
  const auto found = std::find_if(filters.begin(), filters.end(),
                                  [name](const auto& filter) { return filter.first == name; });
  if (found == filters.end()) {
    return Error{ErrorCode::unsupported,
                 "UnknownFilterError: Unknown filter \"" + std::string(name) + "\""};
  }
  return found->second(FilterCall{input, arguments, now});
}

}  // namespace satellite::agent
