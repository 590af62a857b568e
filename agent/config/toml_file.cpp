#include "agent/config/toml_file.hpp"

#include "protocol/vocabulary/printable.hpp"

#include <sstream>
#include <toml.hpp>

namespace satellite::agent {
namespace {

using Values = std::map<std::string, FileValue>;

std::string place(const toml::value& value, const std::string& file_name) {
  return file_name + ":" + std::to_string(value.location().line());
}

Result<std::string> scalar_text(const toml::value& value) {
  if (value.is_string()) return std::string(value.as_string().str);
  if (value.is_boolean()) return std::string(value.as_boolean() ? "true" : "false");
  if (value.is_integer()) return std::to_string(value.as_integer());
  return Error{ErrorCode::invalid_input, "a setting is text, a whole number, true or false"};
}

Result<void> flatten(const toml::table& table, const std::string& prefix,
                     const std::string& file_name, Values& values) {
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
    auto text = scalar_text(value);
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

}  // namespace

Result<Values> parse_toml_settings(const std::string& text, const std::string& file_name) {
  try {
    std::istringstream stream(text);
    const toml::value root = toml::parse(stream, file_name);
    Values values;
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
