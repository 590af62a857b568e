#pragma once

#include <string>
#include <vector>

namespace satellite::agent {

/// One option or argument of a command, as the help text shows it.
struct ArgumentDescription {
  std::string name;  ///< `--config`, or `file` of an argument without dashes
  std::string help;
  bool takes_value = false;          ///< false for a flag
  bool names_file = false;           ///< its value is a path
  std::vector<std::string> choices;  ///< the only values it takes; empty = any
  std::string value;                 ///< of a setting: what stands for its value, `SECONDS`
  std::string fallback;              ///< of a setting: its default
};

struct CommandDescription {
  std::string name, help;
  std::vector<ArgumentDescription> options;
  std::vector<ArgumentDescription> arguments;  ///< by place, in order
};

/// The command line as parse_command_line takes it, read from the same definition: what manuals
/// and completions are written from.
std::vector<CommandDescription> describe_commands();

}  // namespace satellite::agent
