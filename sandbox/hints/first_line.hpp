#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// What the first line of a script asks for.
struct Interpreter {
  std::vector<std::string> command;  ///< path or name, and at most one argument; never empty
  std::string name;                  ///< without path and version: `bash`, `python`
};

/// The interpreter of a `#!` line; its name is empty where there is no such line. `env NAME` counts
/// as NAME, and `env -S` as the words behind it.
///
/// Source: execve(2) "Interpreter scripts": what follows the path is one argument; 255 bytes count.
Interpreter interpreter_of(std::string_view script);

/// Something at the beginning of a script that `sh` does not take as its author meant it: another
/// interpreter, a byte order mark, lines that end in CR LF. Empty = nothing. `shell` is what `sh`
/// is on this host (`dash`); empty = not known.
std::vector<std::string> first_line_hints(std::string_view script, std::string_view shell);

}  // namespace satellite::sandbox
