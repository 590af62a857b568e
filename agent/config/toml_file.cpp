#include "agent/config/toml_file.hpp"

#include "agent/config/setting_table.hpp"
#include "protocol/vocabulary/printable.hpp"
#include "protocol/vocabulary/utf8.hpp"

#include <algorithm>
#include <sstream>
#include <toml.hpp>

namespace satellite::agent {
namespace {

using FileValues = std::map<std::string, FileValue>;

std::string place(const toml::value& value, const std::string& file_name) {
  return file_name + ":" + std::to_string(value.location().line());
}

Result<std::string> scalar_text(const toml::value& value) {
  if (value.is_string()) return std::string(value.as_string().str);
  if (value.is_boolean()) return std::string(value.as_boolean() ? "true" : "false");
  if (value.is_integer()) return std::to_string(value.as_integer());
  return Error{ErrorCode::invalid_input, "a setting is text, a whole number, true or false"};
}

/// A list is the text of its elements with commas between them, as an environment variable has it.
Result<std::string> list_text(const toml::array& elements) {
  std::string all;
  for (const auto& element : elements) {
    auto text = scalar_text(element);
    if (!text) return text;
    if (text->find(',') != std::string::npos) {
      return Error{ErrorCode::invalid_input, "an element of a list holds no comma"};
    }
    all += (all.empty() ? "" : ",") + *text;
  }
  return all;
}

Result<void> flatten(const toml::table& table, const std::string& prefix,
                     const std::string& file_name, FileValues& values) {
  for (const auto& [name, value] : table) {
    const std::string key = prefix.empty() ? name : prefix + "." + name;
    if (value.is_table()) {
      // Settings have at most one section in front; deeper nesting is nobody's setting.
      if (!prefix.empty()) {
        return Error{ErrorCode::invalid_input,
                     place(value, file_name) + ": section [" + printable(key) + "] does not exist"};
      }
      const auto nested = flatten(value.as_table(), key, file_name, values);
      if (!nested) return nested.error();
      continue;
    }
    const Setting* const setting = find_setting(key);
    const bool may_be_list = setting != nullptr && setting->kind == SettingKind::list;
    auto text = value.is_array() && may_be_list ? list_text(value.as_array()) : scalar_text(value);
    if (!text) {
      return Error{text.error().code,
                   place(value, file_name) + ": " + printable(key) + ": " + text.error().message};
    }
    values.emplace(key, FileValue{*std::move(text), place(value, file_name)});
  }
  return {};
}

/// The library's message draws the offending line over several rows; the first row says it all.
std::string first_line(const std::string& text) {
  const std::size_t start = text.find_first_not_of("[] \n");
  return text.substr(0, text.find('\n', start == std::string::npos ? 0 : start));
}

/// TOML is UTF-8. The parser's words for another encoding speak of keys, which helps nobody; and of
/// a string that is not UTF-8 toml11 3.7 tells the place by comparing positions in two buffers,
/// which reads beyond the end of one, so that it must never see any.
Result<void> check_encoding(const std::string& text, const std::string& file_name) {
  std::string problem;
  if (looks_like_utf16(text)) {
    problem = "it is UTF-16";
  } else if (text.find('\0') != std::string::npos) {
    problem = "it contains a NUL byte";
  } else if (const std::size_t wrong = valid_utf8_prefix(text); wrong != text.size()) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<long>(wrong), '\n');
    return Error{ErrorCode::invalid_input,
                 file_name + ":" + std::to_string(line) +
                     ": the settings file is not UTF-8 (Latin-1?); save it as UTF-8"};
  }
  if (problem.empty()) return {};
  return Error{ErrorCode::invalid_input,
               file_name + ": the settings file is not UTF-8: " + problem + "; save it as UTF-8"};
}

/// What toml11 3.7 makes of a longer one overflows. No setting is written in binary; a string that
/// looks like one is refused with the same words.
Result<void> check_binary_numbers(const std::string& text, const std::string& file_name) {
  constexpr std::size_t digits_max = 62;
  for (auto at = text.find("0b"); at != std::string::npos; at = text.find("0b", at + 2)) {
    const auto end = std::min(text.find_first_not_of("01_", at + 2), text.size());
    if (end - (at + 2) <= digits_max) continue;
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<long>(at), '\n');
    return Error{ErrorCode::invalid_input,
                 file_name + ":" + std::to_string(line) +
                     ": a binary number of more than 62 digits; write it in decimal"};
  }
  return {};
}

}  // namespace

Result<FileValues> parse_toml_settings(const std::string& text, const std::string& file_name) {
  if (const auto encoding = check_encoding(text, file_name); !encoding) return encoding.error();
  if (const auto sound = check_binary_numbers(text, file_name); !sound) return sound.error();
  try {
    std::istringstream stream(text);
    const toml::value root = toml::parse(stream, file_name);
    FileValues values;
    const auto flattened = flatten(root.as_table(), "", file_name, values);
    if (!flattened) return flattened.error();
    return values;
  } catch (const toml::syntax_error& problem) {
    return Error{ErrorCode::invalid_input,
                 file_name + ":" + std::to_string(problem.location().line()) +
                     ": not valid TOML (" + first_line(problem.what()) + ")"};
  } catch (const std::exception& problem) {
    return Error{ErrorCode::invalid_input,
                 file_name + ": not valid TOML (" + first_line(problem.what()) + ")"};
  }
}

}  // namespace satellite::agent
