#include "agent/config/settings_text.hpp"

#include "agent/config/setting_table.hpp"

#include <algorithm>
#include <vector>

namespace satellite::agent {
namespace {

using Lines = std::vector<std::string>;

Lines lines_in(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    lines.emplace_back(line);
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return lines;
}

std::string quoted_for_toml(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string toml_value(const Setting& setting, std::string_view value) {
  if (setting.kind == SettingKind::count || setting.kind == SettingKind::seconds ||
      setting.kind == SettingKind::identity || setting.kind == SettingKind::toggle) {
    return std::string(value);
  }
  if (setting.kind != SettingKind::list) return quoted_for_toml(value);
  std::string list;
  while (!value.empty()) {
    const std::string_view one = value.substr(0, value.find(','));
    value.remove_prefix(std::min(value.size(), one.size() + 1));
    list += (list.empty() ? "" : ", ") + quoted_for_toml(one);
  }
  return '[' + list + ']';
}

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

bool is_header(const std::string& line) {
  return without_blanks(line).starts_with('[');
}

bool is_header_of(const std::string& line, const std::string& section) {
  const std::string_view text = without_blanks(line);
  const std::string head = '[' + section + ']';
  return text.starts_with(head) &&
         (text.size() == head.size() || without_blanks(text.substr(head.size())).starts_with('#'));
}

bool sets(const std::string& line, const std::string& name) {
  const std::string_view text = without_blanks(line);
  if (!text.starts_with(name)) return false;
  return without_blanks(text.substr(name.size())).starts_with('=');
}

/// Where the lines of a section begin; the end of all where there is none.
std::size_t section_begin(const Lines& lines, const std::string& section) {
  if (section.empty()) return 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (is_header_of(lines[i], section)) return i + 1;
  }
  return lines.size() + 1;
}

void put(Lines& lines, const std::string& section, const std::string& name,
         const std::string& line) {
  std::size_t at = section_begin(lines, section);
  if (at > lines.size()) {
    lines.insert(lines.end(), {"", '[' + section + ']', line});
    return;
  }
  const std::size_t begin = at;
  for (; at < lines.size() && !is_header(lines[at]); ++at) {
    if (!sets(lines[at], name)) continue;
    lines[at] = line;
    return;
  }
  lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(begin), line);
}

}  // namespace

std::string with_settings(std::string_view text, const std::map<std::string, std::string>& values) {
  Lines lines = lines_in(text);
  for (const auto& [key, value] : values) {
    const Setting* const setting = find_setting(key);
    if (setting == nullptr) continue;
    const std::size_t dot = key.find('.');
    const std::string section = dot == std::string::npos ? "" : key.substr(0, dot);
    const std::string name = dot == std::string::npos ? key : key.substr(dot + 1);
    put(lines, section, name, name + " = " + toml_value(*setting, value));
  }
  std::string changed;
  for (const std::string& line : lines) changed += line + '\n';
  return changed;
}

}  // namespace satellite::agent
