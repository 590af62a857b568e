#include "agent/commands/wrong_usage.hpp"

#include "agent/config/nearest_word.hpp"

#include <algorithm>

namespace satellite::agent {
namespace {

constexpr const char* token_refusal =
    "the token is never taken from the command line, where every user of this host could read it.\n"
    "Put it into a file that only the satellite can read and name that with --token-file, or use "
    "CHECKSTACK_SATELLITE_TOKEN or $CREDENTIALS_DIRECTORY/token.\n"
    "A token that was typed here stands in the shell's history: have the core issue a new one.\n";

/// `--name` of `--name=value`, `-n` of `-nvalue`: never a value, which may be a secret.
std::string option_name(const std::string& word) {
  if (word.starts_with("--")) return word.substr(0, word.find('='));
  return word.substr(0, 2);
}

/// A word that can only be meant as a command: nothing of this shape is a secret.
bool could_be_command(const std::string& word) {
  constexpr std::size_t command_size_max = 16;
  return !word.empty() && word.size() <= command_size_max &&
         std::all_of(word.begin(), word.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
}

std::string meant(const std::string& typed, const std::vector<std::string>& words) {
  const std::string_view nearest = nearest_word(typed, {words.begin(), words.end()});
  return nearest.empty() ? "" : "; did you mean '" + std::string(nearest) + "'?";
}

}  // namespace

std::string where_help_is(const std::string& command) {
  return "; see checkstack-satellite " + (command.empty() ? "" : command + " ") + "--help\n";
}

std::string text_of_unexpected(const std::vector<std::string>& words, const KnownWords& known) {
  std::string options, nearest;
  for (const std::string& word : words) {
    if (!word.starts_with('-') || word.size() < 2) continue;
    const std::string name = option_name(word);
    if (name == "--token" || name == "--tok" || word.starts_with("-token")) return token_refusal;
    if (nearest.empty()) nearest = meant(name, known.options);
    options += (options.empty() ? "" : ", ") + name;
  }
  if (!options.empty()) {
    return "there is no option " + options + " here" + nearest + where_help_is(known.command);
  }
  if (known.command.empty() && could_be_command(words.front())) {
    return "there is no command '" + words.front() + "'" + meant(words.front(), known.commands) +
           where_help_is({});
  }
  return "there is a word on the command line that nothing expects" + where_help_is(known.command);
}

std::string text_of_wrong_choice(const WrongChoice& wrong, const std::string& command) {
  std::string all;
  for (const std::string& choice : wrong.choices) all += (all.empty() ? "" : ", ") + choice;
  const bool may_be_shown = could_be_command(wrong.typed);
  const std::string typed = may_be_shown ? "'" + wrong.typed + "'" : "what was typed";
  return wrong.place + ": " + typed + " is none of " + all +
         (may_be_shown ? meant(wrong.typed, wrong.choices) : "") + where_help_is(command);
}

}  // namespace satellite::agent
