#pragma once

#include <string>
#include <vector>

namespace satellite::agent {

/// What can be said about a command line that is wrong, in words that repeat nothing that might be
/// a secret: options are named without their values, and of other words only those that look like
/// a command. Pure.

/// The names that would have been right, for the question what was meant.
struct KnownWords {
  std::string command;                ///< that was given; empty = none
  std::vector<std::string> commands;  ///< all there are
  std::vector<std::string> options;   ///< of the command that was given
};

/// Words that nothing expects, at least one. Ends with a line break.
std::string text_of_unexpected(const std::vector<std::string>& words, const KnownWords& known);

/// A word that is none of those that may stand at its place.
struct WrongChoice {
  std::string place;  ///< `verb`, `--language`
  std::string typed;
  std::vector<std::string> choices;
};
std::string text_of_wrong_choice(const WrongChoice& wrong, const std::string& command);

/// `; see checkstack-satellite COMMAND --help`.
std::string where_help_is(const std::string& command);

}  // namespace satellite::agent
