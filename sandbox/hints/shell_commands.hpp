#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// A command that a shell script may run: its program and arguments, without quotes.
struct ShellCommand {
  std::vector<std::string> words;  ///< never empty; assignments alone are words, too
};

/// The commands of a shell script, as far as its text tells them.
///
/// Shape:  pure, one pass, any bytes. Programs behind `sudo`, `timeout`, `env` and their kind are
///         named without these, and the text behind `sh -c` and `eval` is read as well. Comments,
///         here-documents, patterns of `case` and texts in quotes hold no commands. An expansion is
///         an empty text, but for names of variables.
/// Bounds: 2,048 commands of 64 words of 4 KiB; what is beyond is left out.
/// Source: POSIX.1-2017, Shell Command Language, 2.2 to 2.10.
std::vector<ShellCommand> shell_commands(std::string_view script);

}  // namespace satellite::sandbox
