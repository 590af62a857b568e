// A reader of shell text that knows where a command begins and nothing of what it does. It gives up
// no text: what it does not understand it takes for a word.
#include "sandbox/hints/shell_commands.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace satellite::sandbox {
namespace {

constexpr std::size_t commands_max = 2'048, words_max = 64, word_size_max = 4'096;
constexpr int depth_max = 12;

constexpr std::array<std::string_view, 13> keywords{
    "then", "do", "else", "elif", "if", "while", "until", "{", "}", "!", "fi", "done", "coproc"};
// They run what follows them and their options.
constexpr std::array<std::string_view, 15> prefixes{
    "sudo",    "doas", "exec",   "time",   "nohup", "env",     "nice",   "ionice",
    "timeout", "chrt", "stdbuf", "setsid", "xargs", "builtin", "command"};
constexpr std::array<std::string_view, 6> shells{"sh", "bash", "dash", "ash", "ksh", "zsh"};

template <typename Names>
bool is_among(const Names& names, std::string_view word) {
  return std::find(names.begin(), names.end(), word) != names.end();
}

bool is_name_character(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_assignment(std::string_view word) {
  const auto equals = word.find('=');
  if (equals == word.npos || equals == 0) return false;
  return std::all_of(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(equals),
                     is_name_character);
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

/// An option or a number, as they stand between `timeout` and what it runs.
bool is_setting(std::string_view word) {
  return word.empty() || word.front() == '-' || (word.front() >= '0' && word.front() <= '9') ||
         is_assignment(word);
}

class ShellReader {
 public:
  ShellReader(std::string_view text, std::vector<ShellCommand>& found, int depth)
      : text_(text), found_(found), depth_(depth) {}

  void read() {
    while (at_ < text_.size()) read_list('\0');
  }

 private:
  using Words = std::vector<std::string>;

  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool follows(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  bool ends(char closing) const { return closing != '\0' && peek() == closing; }

  /// Up to and with `closing`, or to the end.
  void read_list(char closing) {
    if (++depth_ > depth_max) {
      at_ = text_.size();
      return;
    }
    Words words;
    std::size_t line = found_.size();
    while (at_ < text_.size() && !ends(closing)) read_next(words, line, closing);
    if (at_ < text_.size()) ++at_;
    add(words);
    --depth_;
  }

  void read_next(Words& words, std::size_t& line, char closing) {
    const char c = peek();
    if (c == ' ' || c == '\t' || c == '\r') {
      ++at_;
    } else if (follows("\\\n")) {
      at_ += 2;
    } else if (c == '\n') {
      add(words);
      ++at_;
      skip_here_documents();
      line = found_.size();
    } else if (c == '#') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (c == ';' || c == '|' || c == '&') {
      add(words);
      if (follows(";;")) line = found_.size();
      ++at_;
    } else if (c == '(') {
      open_parenthesis(words);
    } else if (c == ')') {
      // The end of a pattern of `case`: what stood before it was no command.
      ++at_;
      words.clear();
      if (found_.size() > line) found_.resize(line);
    } else if (c == '<' || c == '>') {
      read_redirection();
    } else {
      read_word(words, closing);
    }
  }

  void open_parenthesis(Words& words) {
    if (follows("((")) return skip_past("))");
    const bool is_function = words.size() == 1 && peek(1) == ')';
    if (is_function) {
      words.clear();
      at_ += 2;
      return;
    }
    add(words);
    ++at_;
    read_list(')');
  }

  void read_redirection() {
    if (follows("<<<")) {
      at_ += 3;
    } else if (follows("<<")) {
      at_ += peek(2) == '-' ? 3U : 2U;
      while (peek() == ' ' || peek() == '\t') ++at_;
      std::string delimiter;
      while (at_ < text_.size() && !is_blank_or_operator(peek())) {
        if (peek() != '\'' && peek() != '"' && peek() != '\\') delimiter += peek();
        ++at_;
      }
      if (!delimiter.empty()) here_documents_.push_back(std::move(delimiter));
    } else if (peek(1) == '(') {
      at_ += 2;
      read_list(')');
    } else {
      ++at_;
      if (peek() == '&' || peek() == '>' || peek() == '|') ++at_;
    }
  }

  void skip_here_documents() {
    for (const auto& delimiter : here_documents_) {
      while (at_ < text_.size()) {
        const auto end = std::min(text_.find('\n', at_), text_.size());
        auto line = text_.substr(at_, end - at_);
        at_ = std::min(end + 1, text_.size());
        while (line.starts_with('\t')) line.remove_prefix(1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line == delimiter) break;
      }
    }
    here_documents_.clear();
  }

  static bool is_blank_or_operator(char c) {
    return std::string_view(" \t\r\n;|&()<>").find(c) != std::string_view::npos;
  }

  void skip_past(std::string_view what) {
    const auto found = text_.find(what, at_);
    at_ = found == text_.npos ? text_.size() : found + what.size();
  }

  static void append(std::string& word, std::string_view more) {
    word.append(more.substr(0, word_size_max - std::min(word.size(), word_size_max)));
  }

  void read_word(Words& words, char closing) {
    std::string word;
    while (at_ < text_.size() && !is_blank_or_operator(peek()) && !ends(closing)) {
      const bool is_array = peek() == '=' && peek(1) == '(' && !word.empty();
      append(word, std::string_view(&text_[at_], 1));
      if (is_array) {
        skip_past(")");
        break;
      }
      const char c = peek();
      if (c != '\'' && c != '"' && c != '`' && c != '$' && c != '\\') {
        ++at_;
        continue;
      }
      word.pop_back();
      read_quoted(word, c);
    }
    if (words.size() < words_max) words.push_back(std::move(word));
  }

  void read_quoted(std::string& word, char c) {
    if (c == '\\') {
      append(word, text_.substr(at_ + 1, 1));
      at_ = std::min(at_ + 2, text_.size());
    } else if (c == '\'') {
      const auto start = at_ + 1;
      const auto end = std::min(text_.find('\'', start), text_.size());
      append(word, text_.substr(start, end - start));
      at_ = std::min(end + 1, text_.size());
    } else if (c == '"') {
      read_double_quotes(word);
    } else {
      read_expansion(word);
    }
  }

  void read_double_quotes(std::string& word) {
    ++at_;
    while (at_ < text_.size() && peek() != '"') {
      if (peek() == '\\') {
        append(word, text_.substr(at_ + 1, 1));
        at_ = std::min(at_ + 2, text_.size());
      } else if (peek() == '`' || peek() == '$') {
        read_expansion(word);
      } else {
        append(word, std::string_view(&text_[at_++], 1));
      }
    }
    if (at_ < text_.size()) ++at_;
  }

  void read_expansion(std::string& word) {
    if (peek() == '`') {
      ++at_;
      return read_list('`');
    }
    if (follows("$((")) return skip_past("))");
    if (follows("$(")) {
      at_ += 2;
      return read_list(')');
    }
    if (follows("${")) {
      const auto end = std::min(text_.find('}', at_), text_.size() - 1);
      append(word, text_.substr(at_, end + 1 - at_));
      at_ = end + 1;
      return;
    }
    append(word, "$");
    ++at_;
  }

  /// What is run, without what runs it.
  void add(Words& words) {
    auto first = words.begin();
    bool is_asked_about = false;
    while (first != words.end()) {
      const bool is_prefix = is_among(prefixes, base_name(*first));
      if (!is_prefix && !is_among(keywords, *first) && !is_assignment(*first)) break;
      const std::string prefix = *first++;
      while (is_prefix && first != words.end() && is_setting(*first)) {
        is_asked_about = is_asked_about || (prefix == "command" && first->starts_with("-"));
        ++first;
      }
    }
    const bool only_assigns = first == words.end();
    if (only_assigns) {
      first = std::find_if(words.begin(), words.end(),
                           [](const std::string& word) { return is_assignment(word); });
    }
    ShellCommand command{{first, words.end()}};
    words.clear();
    if (command.words.empty() || is_asked_about || found_.size() >= commands_max) return;
    found_.push_back(command);
    read_inner(command.words);
  }

  void read_inner(const Words& words) {
    if (words.front() == "eval") {
      for (std::size_t i = 1; i < words.size(); ++i) read_text(words[i]);
    }
    if (!is_among(shells, base_name(words.front()))) return;
    const auto option = std::find_if(words.begin(), words.end(), [](const std::string& word) {
      return word.starts_with('-') && word.ends_with('c');
    });
    if (option != words.end() && option + 1 != words.end()) read_text(*(option + 1));
  }

  void read_text(std::string_view text) {
    if (depth_ < depth_max) ShellReader(text, found_, depth_ + 1).read();
  }

  std::string_view text_;
  std::vector<ShellCommand>& found_;
  int depth_;
  std::size_t at_ = 0;
  std::vector<std::string> here_documents_;
};

}  // namespace

std::vector<ShellCommand> shell_commands(std::string_view script) {
  std::vector<ShellCommand> found;
  ShellReader(script, found, 0).read();
  return found;
}

}  // namespace satellite::sandbox
