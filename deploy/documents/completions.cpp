#include "deploy/documents/completions.hpp"

#include <algorithm>
#include <map>

namespace satellite::documents {
namespace {

using agent::ArgumentDescription;
using agent::CommandDescription;

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

std::string names_of(const std::vector<CommandDescription>& commands) {
  std::vector<std::string> names;
  for (const auto& command : commands) names.push_back(command.name);
  return joined(names);
}

/// The words that may stand where an option or argument of `command` may.
std::string words_of(const CommandDescription& command) {
  std::vector<std::string> words;
  for (const auto& option : command.options) words.push_back(option.name);
  for (const auto& argument : command.arguments) {
    words.insert(words.end(), argument.choices.begin(), argument.choices.end());
  }
  return joined(words);
}

bool takes_file(const CommandDescription& command) {
  return std::any_of(command.arguments.begin(), command.arguments.end(),
                     [](const auto& argument) { return argument.names_file; });
}

/// Each option once, whichever commands have it: it means the same in all of them.
std::map<std::string, ArgumentDescription> every_option(
    const std::vector<CommandDescription>& commands) {
  std::map<std::string, ArgumentDescription> options;
  for (const auto& command : commands) {
    for (const auto& option : command.options) options.emplace(option.name, option);
  }
  return options;
}

/// In single quotes of a shell.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

/// Within a pair of brackets of zsh's _arguments.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_action(const ArgumentDescription& argument) {
  if (!argument.choices.empty()) return "(" + joined(argument.choices) + ")";
  return argument.names_file ? "_files" : " ";
}

}  // namespace

std::string bash_completion(const std::vector<CommandDescription>& commands) {
  std::string out =
      "# bash completion for checkstack-satellite\n_checkstack_satellite() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  local command=${COMP_WORDS[1]}\n  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    COMPREPLY=($(compgen -W '" +
      names_of(commands) +
      " --help --version' -- \"$word\"))\n    return\n  fi\n  case $before in\n";
  for (const auto& [name, option] : every_option(commands)) {
    if (!option.takes_value) continue;
    const std::string words = "$(compgen -W '" + joined(option.choices) + "' -- \"$word\")";
    out += "    " + name + ") COMPREPLY=(" +
           (option.names_file ? std::string("$(compgen -f -- \"$word\")") : words) +
           "); return ;;\n";
  }
  out += "  esac\n  case $command in\n";
  for (const auto& command : commands) {
    out += "    " + command.name + ") COMPREPLY=($(compgen " + (takes_file(command) ? "-f " : "") +
           "-W '" + words_of(command) + "' -- \"$word\")) ;;\n";
  }
  return out + "  esac\n}\ncomplete -o filenames -F _checkstack_satellite checkstack-satellite\n";
}

std::string zsh_completion(const std::vector<CommandDescription>& commands) {
  std::string out = "#compdef checkstack-satellite\nlocal -a commands\ncommands=(\n";
  for (const auto& command : commands) {
    out += "  " + quoted(command.name + ":" + command.help) + "\n";
  }
  out +=
      ")\nif (( CURRENT == 2 )); then\n  _describe command commands\n  return\nfi\n"
      "local name=$words[2]\nshift words\n(( CURRENT-- ))\ncase $name in\n";
  for (const auto& command : commands) {
    out += "  " + command.name + ")\n    _arguments";
    for (const auto& option : command.options) {
      const std::string value = option.takes_value ? ":value:" + zsh_action(option) : "";
      out += " \\\n      " + quoted(option.name + "[" + zsh_text(option.help) + "]" + value);
    }
    for (const auto& argument : command.arguments) {
      out += " \\\n      " + quoted(":" + argument.name + ":" + zsh_action(argument));
    }
    out += "\n    ;;\n";
  }
  return out + "esac\n";
}

std::string fish_completion(const std::vector<CommandDescription>& commands) {
  const std::string begin = "complete -c checkstack-satellite ";
  std::string out = "# fish completion for checkstack-satellite\n" + begin + "-f\n";
  for (const auto& command : commands) {
    out += begin + "-n __fish_use_subcommand -a " + command.name + " -d " + quoted(command.help) +
           "\n";
    const std::string here = begin + "-n '__fish_seen_subcommand_from " + command.name + "' ";
    for (const auto& option : command.options) {
      out += here + "-l " + option.name.substr(option.name.find_first_not_of('-'));
      if (option.takes_value) out += option.names_file ? " -r -F" : " -x";
      if (!option.choices.empty()) out += " -a " + quoted(joined(option.choices));
      out += " -d " + quoted(option.help) + "\n";
    }
    for (const auto& argument : command.arguments) {
      if (argument.names_file) out += here + "-F\n";
      if (!argument.choices.empty()) out += here + "-a " + quoted(joined(argument.choices)) + "\n";
    }
  }
  return out;
}

}  // namespace satellite::documents
