// Typing into a terminal on behalf of whoever reads from it. The terminal is one that the attempt
// makes for itself, so that nobody's shell can be hit; what is asked is whether the call works.
#include "tests/escape/probe/verb.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>
#include <cstdlib>
#include <cstring>

namespace satellite::escape {
namespace {

constexpr unsigned long type_character = 0x5412, linux_console = 0x541C, take_terminal = 0x540E;

/// The other end of a fresh terminal, which becomes ours to control.
int own_terminal() {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) return -errno;
  int locked = 0, number = 0;
  if (::ioctl(master, TIOCSPTLCK, &locked) < 0 || ::ioctl(master, TIOCGPTN, &number) < 0) {
    return -errno;
  }
  // Not by name: a sandbox need not show /dev/pts.
  const int terminal = ::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  return terminal < 0 ? -errno : terminal;
}

long on_own_terminal(unsigned long request, const char* argument) {
  ::setsid();
  const int terminal = own_terminal();
  if (terminal < 0) {
    say("no terminal");
    return terminal;
  }
  const long taken = answered(::syscall(SYS_ioctl, terminal, take_terminal, 0UL));
  if (request == take_terminal) return taken;
  return answered(::syscall(SYS_ioctl, terminal, request, argument));
}

long inject(const char* const*) {
  return on_own_terminal(type_character, "x");
}

/// The kernel looks at 32 bits of the request; a filter that compares 64 sees another number.
long inject_high_bits(const char* const*) {
  return on_own_terminal(type_character | 1UL << 32U, "x");
}

long console(const char* const*) {
  return on_own_terminal(linux_console, "\x03");
}

long take_control(const char* const*) {
  return on_own_terminal(take_terminal, nullptr);
}

/// Any user may give a terminal of theirs another line discipline, and the kernel loads its module.
long line_discipline(const char* const*) {
  constexpr int multiplexer = 21;  // N_GSM0710
  const int terminal = own_terminal();
  if (terminal < 0) return terminal;
  return answered(::syscall(SYS_ioctl, terminal, 0x5423UL /* TIOCSETD */, &multiplexer));
}

long in_own_session(long (*attempt)(const char* const*), const char* const* words) {
  return in_child(attempt, words);  // a group leader cannot have a session of its own
}

long child_inject(const char* const* words) {
  return in_own_session(inject, words);
}
long child_inject_high_bits(const char* const* words) {
  return in_own_session(inject_high_bits, words);
}
long child_console(const char* const* words) {
  return in_own_session(console, words);
}
long child_take_control(const char* const* words) {
  return in_own_session(take_control, words);
}

long controlling_terminal(const char* const*) {
  return try_open("/dev/tty", O_RDWR);
}

long standard_terminal(const char* const*) {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::isatty(fd) == 1) return fd;
  }
  return -ENOTTY;
}

/// The process group that a terminal would signal: ours must be our own.
long foreign_group(const char* const*) {
  say("group %d session %d", ::getpgrp(), ::getsid(0));
  return ::getsid(0) == 0 || ::getpgrp() == 0 ? 0 : -ENOENT;
}

constexpr Verb verbs[] = {
    {"inject-character", 0, Danger::none, child_inject},
    {"inject-character-high-bits", 0, Danger::none, child_inject_high_bits},
    {"console-selection", 0, Danger::none, child_console},
    {"line-discipline", 0, Danger::none, line_discipline},
    {"take-terminal", 0, Danger::none, child_take_control},
    {"controlling-terminal", 0, Danger::none, controlling_terminal},
    {"standard-terminal", 0, Danger::none, standard_terminal},
    {"foreign-group", 0, Danger::none, foreign_group},
};

}  // namespace

Verbs terminal_verbs() {
  return {verbs, sizeof(verbs) / sizeof(verbs[0])};
}

}  // namespace satellite::escape
