#include "sandbox/module/user_script.hpp"

#include <algorithm>
#include <array>

namespace satellite::sandbox {
namespace {

constexpr std::array<std::string_view, 4> line_ends{"\n", "\r", "\u2028", "\u2029"};
constexpr std::array<std::string_view, 21> blanks{
    " ",      "\t",     "\v",     "\f",     "\u00A0", "\u1680", "\u2000",
    "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007",
    "\u2008", "\u2009", "\u200A", "\u202F", "\u205F", "\u3000", "\uFEFF"};

/// How many bytes at the start of `text` are one of these signs.
template <typename Signs>
std::size_t sign_at_start(std::string_view text, const Signs& signs) {
  for (const std::string_view sign : signs) {
    if (text.starts_with(sign)) return sign.size();
  }
  return 0;
}

/// White space of a regular expression: the ends of lines belong to it.
std::size_t space_at_start(std::string_view text) {
  const std::size_t blank = sign_at_start(text, blanks);
  return blank > 0 ? blank : sign_at_start(text, line_ends);
}

bool begins_module_line(std::string_view text) {
  for (const std::string_view word : {std::string_view("import"), std::string_view("export")}) {
    if (text.starts_with(word) && space_at_start(text.substr(word.size())) > 0) return true;
  }
  return false;
}

bool is_module(std::string_view text) {
  bool at_line_start = true;
  while (!text.empty()) {
    if (at_line_start && begins_module_line(text)) return true;
    const std::size_t end = sign_at_start(text, line_ends);
    const std::size_t blank = end > 0 ? 0 : sign_at_start(text, blanks);
    at_line_start = end > 0 || (at_line_start && blank > 0);
    text.remove_prefix(std::max({end, blank, std::size_t{1}}));
  }
  return false;
}

}  // namespace

std::string module_from(std::string_view script) {
  if (is_module(script)) return std::string(script);
  return "export default await (async () => {\n" + std::string(script) + "\n})();\n";
}

std::string with_import_from(std::string_view script, std::string_view name, std::string_view url) {
  std::string redirected;
  std::size_t copied = 0;
  for (std::size_t at = script.find(name); at != script.npos; at = script.find(name, at + 1)) {
    const std::size_t behind = at + name.size();
    if (at == 0 || behind >= script.size()) continue;
    const char quote = script[at - 1];
    if ((quote != '"' && quote != '\'') || script[behind] != quote) continue;
    // What stands before the quote, read backwards: white space, then the word.
    std::string_view before = script.substr(0, at - 1);
    const auto take_space = [&before] {
      for (std::size_t size = 1; size <= 3 && size <= before.size(); ++size) {
        if (space_at_start(before.substr(before.size() - size)) != size) continue;
        before.remove_suffix(size);
        return true;
      }
      return false;
    };
    if (!take_space()) continue;
    while (take_space()) {
    }
    if (!before.ends_with("from") && !before.ends_with("import")) continue;
    redirected.append(script, copied, at - copied);
    redirected += url;
    copied = behind;
  }
  redirected.append(script, copied);
  return redirected;
}

}  // namespace satellite::sandbox
