// A signal that ends or stops this process at the question must not leave a terminal without echo.
// So signals wait in a descriptor while the echo is off, and are let through once it is on again.
#include "agent/commands/typed_token.hpp"

#include "agent/commands/input.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <poll.h>
#include <string.h>  // explicit_bzero
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <iostream>
#include <optional>
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

/// The signals that a terminal, or who closes it, sends: held while this lives.
class HeldSignals {
 public:
  HeldSignals() {
    ::sigemptyset(&held_);
    for (const int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP}) {
      ::sigaddset(&held_, number);
    }
    ::sigprocmask(SIG_BLOCK, &held_, &before_);
    arrivals_ = UniqueFd(::signalfd(-1, &held_, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~HeldSignals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  int arrivals() const { return arrivals_.get(); }
  /// Does what the signal that arrived does to any program: this may not come back, or late.
  void let_through() {
    signalfd_siginfo arrived{};
    const ssize_t got = ::read(arrivals_.get(), &arrived, sizeof arrived);
    if (got != static_cast<ssize_t>(sizeof arrived)) return;
    ::raise(static_cast<int>(arrived.ssi_signo));
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
    ::sigprocmask(SIG_BLOCK, &held_, nullptr);
  }

 private:
  sigset_t held_{}, before_{};
  UniqueFd arrivals_;
};

/// A line, or what there is of it at the end of the input; nothing = a signal came first.
std::optional<std::string> line_before_signal(const HeldSignals& signals) {
  std::string line;
  line.reserve(2 * limits::token_size_max.value);
  std::array<char, 1024> piece{};
  while (line.size() <= limits::token_size_max.value && !line.ends_with('\n')) {
    std::array<pollfd, 2> waited{pollfd{STDIN_FILENO, POLLIN, 0},
                                 pollfd{signals.arrivals(), POLLIN, 0}};
    if (::poll(waited.data(), waited.size(), -1) < 0) {
      if (errno == EINTR) continue;
      break;
    }
    if (waited[1].revents != 0) {
      wipe(line);
      return std::nullopt;
    }
    const ssize_t got = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (got <= 0) break;
    line.append(piece.data(), static_cast<std::size_t>(got));
  }
  ::explicit_bzero(piece.data(), piece.size());
  return line;
}

/// The question again after each signal that did not end this.
std::string typed_line() {
  HeldSignals signals;
  while (true) {
    std::optional<std::string> line;
    {
      const WithoutEcho without_echo;
      std::cerr << "token: " << std::flush;
      line = line_before_signal(signals);
    }
    std::cerr << '\n';
    if (line) return *std::move(line);
    signals.let_through();
  }
}

}  // namespace

Result<Token> read_typed_token() {
  if (::isatty(STDIN_FILENO) != 1) {
    auto text = read_input("-", limits::token_size_max);
    if (!text) return text.error();
    return checked_token(*std::move(text), "standard input");
  }
  return checked_token(typed_line(), "what was typed");
}

}  // namespace satellite::agent
