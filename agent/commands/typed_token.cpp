#include "agent/commands/typed_token.hpp"

#include "agent/commands/input.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <termios.h>
#include <unistd.h>

#include <iostream>
#include <string>

namespace satellite::agent {
namespace {

/// What is typed is not shown while this lives.
class WithoutEcho {
 public:
  WithoutEcho() : is_terminal_(::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!is_terminal_) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  }
  ~WithoutEcho() {
    if (is_terminal_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  WithoutEcho(const WithoutEcho&) = delete;
  WithoutEcho& operator=(const WithoutEcho&) = delete;

 private:
  termios before_{};
  bool is_terminal_;
};

}  // namespace

Result<Token> read_typed_token() {
  if (::isatty(STDIN_FILENO) != 1) {
    auto text = read_input("-", limits::token_size_max);
    if (!text) return text.error();
    return checked_token(*std::move(text), "standard input");
  }
  std::cerr << "token: " << std::flush;
  std::string text;
  {
    const WithoutEcho without_echo;
    std::getline(std::cin, text);
  }
  std::cerr << '\n';
  return checked_token(std::move(text), "what was typed");
}

}  // namespace satellite::agent
