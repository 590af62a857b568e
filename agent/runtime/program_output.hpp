#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace satellite::agent {

/// A program of the host that is asked something.
struct ProgramQuestion {
  /// The program, by its path or as PATH finds it, then its arguments.
  std::vector<std::string> words;
  std::vector<std::string> environment;  ///< `NAME=value`, all of it
  std::chrono::steady_clock::time_point deadline;
  ByteCount output_max;  ///< what comes after that is read and dropped, so that it can end
};

struct ProgramAnswer {
  int wait_status = 0;  ///< as waitpid(2) gives it
  std::string output;   ///< of its standard output; nobody sees its standard error
  bool ended_well() const;
};

/// Runs it to its end, in a session of its own, with nothing of ours but the words.
///
/// Shape:  blocks. The program is surely gone afterwards.
/// Errors: not_found where there is no such program; timed_out at the deadline; else as
///         posix_spawn(3) has it. A program that fails is no error.
Result<ProgramAnswer> ask_program(const ProgramQuestion& question);

}  // namespace satellite::agent
