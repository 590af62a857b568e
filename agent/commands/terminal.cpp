#include "agent/commands/terminal.hpp"

#include "agent/commands/commands.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>

namespace satellite::agent {
namespace {

bool shows_colours() {
  const char* const no_colour = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  const bool is_refused = no_colour != nullptr && *no_colour != '\0';
  const bool is_dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return !is_refused && !is_dumb && ::isatty(STDOUT_FILENO) == 1;
}

/// Who reads a few lines and goes, as head(1) does, wants no more and no complaint.
bool reader_is_gone() {
  pollfd output{STDOUT_FILENO, 0, 0};
  return ::poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

}  // namespace

std::string coloured(Colour colour, std::string_view text) {
  static const bool shows = shows_colours();
  if (!shows) return std::string(text);
  const char* const code = colour == Colour::good ? "32" : colour == Colour::bad ? "31" : "2";
  return std::string("\x1b[") + code + 'm' + std::string(text) + "\x1b[0m";
}

bool flush_standard_output() {
  errno = 0;
  std::cout.flush();
  const int problem = errno;
  if (std::cout.good()) return true;
  if (!reader_is_gone()) {
    print_error("standard output cannot be written" +
                (problem == 0 ? "" : std::string(": ") + std::strerror(problem)) +
                "; what it should hold is lost");
  }
  return false;
}

}  // namespace satellite::agent
