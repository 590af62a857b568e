#include "sandbox/hints/script_topics.hpp"

#include "sandbox/hints/shell_commands.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace satellite::sandbox {
namespace {

constexpr std::size_t script_read_max = 64U << 10U;
constexpr std::size_t call_text_max = 512;

/// One word for each topic.
class Mentions {
 public:
  void add(const std::optional<HostMention>& mention) {
    if (!mention) return;
    auto& kept = words_[static_cast<std::size_t>(mention->topic)];
    if (kept.empty()) kept = mention->word;
  }
  /// Texts inside a script may overlap; so many are read.
  bool may_read_more() { return read_++ < texts_max; }
  std::vector<HostMention> take() const {
    std::vector<HostMention> all;
    for (std::size_t i = 0; i < words_.size(); ++i) {
      if (!words_[i].empty()) all.push_back({static_cast<HostTopic>(i), words_[i]});
    }
    return all;
  }

 private:
  static constexpr int texts_max = 256;
  std::array<std::string, host_topic_count> words_;
  int read_ = 0;
};

bool is_word_character(char c) {
  return c == '_' || c == '-' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z');
}

/// `DF=/bin/df`, `DF=df` and `${DF:-df}` name a program; `TYPE=service` does not.
void add_assignment(std::string_view word, Mentions& mentions) {
  const auto equals = word.find('=');
  std::string_view value = word.substr(equals + 1);
  if (const auto other = value.find(":-"); value.starts_with("${") && other != value.npos) {
    value = value.substr(other + 2);
    if (value.ends_with('}')) value.remove_suffix(1);
  }
  const auto mention = mention_of_command({std::string(value)});
  if (!mention) return;
  std::string name(word.substr(0, equals));
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const bool is_named_after = name.find(mention->word) != name.npos;
  if (value.starts_with('/') || is_named_after) mentions.add(mention);
}

void add_command(const ShellCommand& command, Mentions& mentions) {
  const std::string& first = command.words.front();
  if (first.find('=') != first.npos) {
    for (const auto& word : command.words) {
      if (word.find('=') != word.npos) add_assignment(word, mentions);
    }
    return;
  }
  mentions.add(mention_of_command(command.words));
}

void add_commands(std::string_view text, Mentions& mentions) {
  if (!mentions.may_read_more()) return;
  for (const auto& command : shell_commands(text)) add_command(command, mentions);
}

/// The text without comments and, of perl, without its documentation.
std::string without_comments(std::string_view script, std::string_view mark) {
  std::string kept;
  bool is_documentation = false;
  while (!script.empty()) {
    const auto line = script.substr(0, script.find('\n'));
    script.remove_prefix(std::min(script.size(), line.size() + 1));
    const auto start = line.find_first_not_of(" \t");
    if (line.starts_with("=cut")) {
      is_documentation = false;
      continue;
    }
    const bool is_heading = line.size() > 1 && line[0] == '=' && line[1] >= 'a' && line[1] <= 'z';
    is_documentation = is_documentation || is_heading;
    if (is_documentation || start == line.npos || line.substr(start).starts_with(mark)) continue;
    const auto comment = line.find(" " + std::string(mark) + " ");
    kept.append(line.substr(0, comment)).append("\n");
  }
  return kept;
}

/// `/proc/1/…`: a process by its number.
bool names_process(std::string_view path) {
  constexpr std::string_view directory = "/proc/";
  return path.starts_with(directory) && path.size() > directory.size() &&
         path[directory.size()] >= '0' && path[directory.size()] <= '9';
}

/// Every path of the text that belongs to a topic.
void add_paths(std::string_view text, Mentions& mentions) {
  for (auto slash = text.find('/'); slash != text.npos; slash = text.find('/', slash + 1)) {
    if (slash > 0 && (is_word_character(text[slash - 1]) || text[slash - 1] == '/')) continue;
    const auto path = text.substr(slash, 64);
    if (names_process(path)) mentions.add(HostMention{HostTopic::processes, "/proc/[0-9]"});
    mentions.add(mention_of_path(path));
  }
}

/// `/usr/bin/df` anywhere in the text.
void add_absolute_programs(std::string_view text, Mentions& mentions) {
  for (const std::string_view directory : {"bin/", "/nagios/plugins/"}) {
    for (auto at = text.find(directory); at != text.npos; at = text.find(directory, at + 1)) {
      const auto begin = at + directory.size();
      const auto end = std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                        text.end(), is_word_character);
      const auto name = text.substr(begin, static_cast<std::size_t>(end - text.begin()) - begin);
      const bool is_word = !name.empty() && name.size() < 32;
      if (is_word) mentions.add(mention_of_command({std::string(name)}));
    }
  }
}

constexpr auto libraries = std::to_array<std::pair<std::string_view, HostTopic>>({
    {"psutil.disk_", HostTopic::disks},
    {"disk_usage(", HostTopic::disks},
    {"statvfs(", HostTopic::disks},
    {"Filesys::Df", HostTopic::disks},
    {"statfs(", HostTopic::disks},
    {"psutil.process", HostTopic::processes},
    {"psutil.pids", HostTopic::processes},
    {"psutil.Process(", HostTopic::processes},
    {"Proc::ProcessTable", HostTopic::processes},
    {"psutil.users", HostTopic::sessions},
    {"psutil.net_", HostTopic::connections},
    {"psutil.sensors_", HostTopic::hardware},
});

void add_libraries(std::string_view text, Mentions& mentions) {
  for (const auto& [name, topic] : libraries) {
    const auto at = text.find(name);
    const bool is_there =
        at != text.npos && (at == 0 || !is_word_character(text[at - 1]) || text[at - 1] == '.');
    if (is_there) mentions.add(HostMention{topic, std::string(name.substr(0, name.find('(')))});
  }
}

/// The text between the quotes that open at `text`, or nothing.
std::string_view quoted(std::string_view text) {
  const char quote = text.front();
  const auto end = text.substr(0, call_text_max).find(quote, 1);
  return end == text.npos ? std::string_view() : text.substr(1, end - 1);
}

/// `system("df -k")`, `popen(['df'])`, `open(F, "df|")`: the first text in quotes behind a call.
void add_calls(std::string_view text, Mentions& mentions) {
  constexpr std::array<std::string_view, 16> calls{
      "system",    "exec",       "popen",    "Popen", "check_output", "check_call",
      "getoutput", "run",        "call",     "spawn", "spawnSync",    "execSync",
      "execFile",  "shell_exec", "passthru", "open"};
  constexpr std::size_t gap_max = 24;
  for (const std::string_view call : calls) {
    for (auto at = text.find(call); at != text.npos; at = text.find(call, at + call.size())) {
      const bool is_inside = at > 0 && text[at - 1] != '.' && is_word_character(text[at - 1]);
      auto rest = text.substr(at + call.size());
      rest = rest.substr(0, rest.find_first_of("\n;"));
      const auto first = rest.find_first_of("'\"");
      if (is_inside || first == rest.npos || first > gap_max) continue;
      // Between a call and its command stands nothing but brackets; `open` has a handle first.
      const bool is_near = rest.substr(0, first).find_first_not_of(" \t([") >= first;
      if (call != "open" && !is_near) continue;
      auto command = quoted(rest.substr(first));
      if (call == "open") {
        // Only with a pipe: `"df|"` or `'-|', 'df'`.
        const bool is_piped = command == "-|";
        const auto next = rest.find_first_of("'\"", first + command.size() + 2);
        if (is_piped && next != rest.npos) command = quoted(rest.substr(next));
        if (!is_piped && !command.ends_with('|')) continue;
      }
      add_commands(command, mentions);
    }
  }
}

/// Text in back quotes, and `qx`.
void add_back_quotes(std::string_view text, Mentions& mentions) {
  for (auto at = text.find('`'); at != text.npos;) {
    const auto command = quoted(text.substr(at));
    add_commands(command, mentions);
    at = text.find('`', at + command.size() + 2);
  }
  for (auto at = text.find("qx"); at != text.npos; at = text.find("qx", at + 2)) {
    const auto rest = text.substr(at + 2, call_text_max);
    const auto open = std::string_view("{(/|").find(rest.empty() ? ' ' : rest[0]);
    if (open == std::string_view::npos) continue;
    add_commands(rest.substr(1, rest.find("})/|"[open], 1) - 1), mentions);
  }
}

}  // namespace

ScriptKind kind_of_interpreter(std::string_view name) {
  for (const std::string_view quoting : {"perl", "ruby", "php"}) {
    if (name == quoting) return ScriptKind::quoting;
  }
  for (const std::string_view scripting : {"python", "node", "nodejs", "bun", "lua", "tclsh"}) {
    if (name == scripting) return ScriptKind::scripting;
  }
  return ScriptKind::shell;
}

std::vector<HostMention> topics_of_script(std::string_view script, ScriptKind kind) {
  script = script.substr(0, script_read_max);
  Mentions mentions;
  std::string text = without_comments(script, "#");
  if (kind == ScriptKind::scripting) text = without_comments(text, "//");
  if (kind == ScriptKind::shell) {
    add_commands(script, mentions);
  } else {
    add_absolute_programs(text, mentions);
    add_calls(text, mentions);
    if (kind == ScriptKind::quoting) add_back_quotes(text, mentions);
    add_libraries(text, mentions);
  }
  add_paths(text, mentions);
  return mentions.take();
}

}  // namespace satellite::sandbox
