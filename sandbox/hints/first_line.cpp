#include "sandbox/hints/first_line.hpp"

#include <algorithm>
#include <array>

namespace satellite::sandbox {
namespace {

constexpr std::size_t first_line_size_max = 255;
// Later than this a CR LF is more likely a text that the script holds.
constexpr std::size_t line_end_looked_for_max = 4'096;
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (true) {
    const auto start = text.find_first_not_of(" \t");
    if (start == text.npos) return words;
    text.remove_prefix(start);
    const auto word = text.substr(0, text.find_first_of(" \t"));
    words.emplace_back(word);
    text.remove_prefix(word.size());
  }
}

/// `/usr/bin/python3.11` -> `python`; a name that is only a number stays.
std::string plain_name(std::string_view path) {
  auto name = path.substr(path.rfind('/') + 1);
  const auto end = name.find_last_not_of("0123456789.-");
  if (end != name.npos) name = name.substr(0, end + 1);
  return std::string(name);
}

/// What bash and its relatives know and a plain POSIX shell does not.
bool uses_more_than_posix(std::string_view script) {
  constexpr std::array<std::string_view, 15> marks{
      "[[ ",       "<<<",         "<(",       "&>",        "=(",
      "declare ",  "typeset ",    "shopt ",   "readarray", "mapfile",
      "\nsource ", "\nfunction ", "pipefail", "$RANDOM",   "BASH_"};
  return std::any_of(marks.begin(), marks.end(),
                     [script](std::string_view mark) { return script.find(mark) != script.npos; });
}

/// A script may hold a secret, its first line too.
std::string known_name(const std::string& name) {
  constexpr std::array<std::string_view, 14> known{"bash",   "ksh",  "mksh", "zsh",  "fish",
                                                   "python", "perl", "ruby", "php",  "node",
                                                   "nodejs", "awk",  "lua",  "tclsh"};
  const bool is_known = std::find(known.begin(), known.end(), name) != known.end();
  return is_known ? name : "another interpreter";
}

bool is_plain_shell(std::string_view name) {
  return name == "sh" || name == "dash" || name == "ash" || name == "busybox";
}

bool is_richer_shell(std::string_view name) {
  return name == "bash" || name == "ksh" || name == "mksh" || name == "zsh";
}

/// Whether `sh` runs the script as the first line wants it.
bool is_right_shell(const Interpreter& wanted, std::string_view script, std::string_view shell) {
  if (wanted.name.empty() || is_plain_shell(wanted.name) || wanted.name == shell) return true;
  return is_richer_shell(wanted.name) && !uses_more_than_posix(script);
}

}  // namespace

Interpreter interpreter_of(std::string_view script) {
  if (!script.starts_with("#!")) return {};
  auto line = script.substr(2, std::min(script.find('\n'), first_line_size_max) - 2);
  while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
  auto words = words_of(line);
  if (words.empty()) return {};
  Interpreter found;
  if (plain_name(words[0]) == "env") {
    words.erase(words.begin());
    const bool splits = !words.empty() && (words[0] == "-S" || words[0] == "--split-string");
    if (splits) words.erase(words.begin());
    // Without it env(1) would look for a program with blanks in its name.
    if (!splits && words.size() > 1) return {};
    if (words.empty() || words[0].starts_with('-')) return {};
    found.command = words;
  } else {
    found.command.push_back(words[0]);
    const auto rest = line.substr(line.find(words[0]) + words[0].size());
    const auto start = rest.find_first_not_of(" \t");
    if (start != rest.npos) found.command.emplace_back(rest.substr(start));
  }
  found.name = plain_name(found.command[0]);
  return found;
}

std::vector<std::string> first_line_hints(std::string_view script, std::string_view shell) {
  std::vector<std::string> hints;
  if (script.starts_with(byte_order_mark)) {
    hints.emplace_back(
        "the script begins with a byte order mark, which the shell takes for a part of the first "
        "command: save it without one");
    script.remove_prefix(byte_order_mark.size());
  }
  if (script.substr(0, line_end_looked_for_max).find("\r\n") != script.npos) {
    hints.emplace_back(
        "the script's lines end in CR LF, and the shell takes the CR for a part of each command: "
        "save it with plain line ends");
  }
  const auto wanted = interpreter_of(script);
  if (is_right_shell(wanted, script, shell)) return hints;
  const std::string name = known_name(wanted.name);
  hints.push_back("the first line asks for " + name +
                  ", but scripts are run by sh: set checks.honour_shebang, or start " + name +
                  " in the script");
  return hints;
}

}  // namespace satellite::sandbox
