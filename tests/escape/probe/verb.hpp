#pragma once

#include <cerrno>

/// One attempt of the escape probe.
///
/// Shape:  `attempt` gets its words and gives what the kernel said: 0 or more = it worked, else the
///         negated errno. What else there is to say goes to say(). No destructor runs after it.
namespace satellite::escape {

enum class Danger {
  none,    ///< harmless as an unprivileged user of the host
  other,   ///< could hit others: only behind a pid and a mount namespace that are not the host's
  victim,  ///< hits the process that its first word names, which has to be the harness's own
};

struct Verb {
  const char* name;
  int arguments;
  Danger danger;
  long (*attempt)(const char* const* words);
};

struct Verbs {
  const Verb* first;
  int count;
};

Verbs file_verbs();
Verbs mount_verbs();
Verbs privilege_verbs();
Verbs process_verbs();
Verbs scheduling_verbs();
Verbs shared_verbs();
Verbs call_verbs();
Verbs network_verbs();
Verbs egress_verbs();
Verbs ipc_verbs();
Verbs terminal_verbs();
Verbs victim_verbs();
Verbs flood_verbs();

/// The result of a libc wrapper as an attempt gives it.
inline long answered(long result) {
  return result < 0 ? -errno : result;
}

/// Adds to the detail of the answer's line, as printf does; too much is cut.
[[gnu::format(printf, 1, 2)]] void say(const char* format, ...);
const char* said();

/// EPERM for 1 and so on; the number for what has no name here.
const char* name_of_errno(int number);

/// Opens, and tells whether that worked; nothing stays open.
long try_open(const char* path, int flags);
/// The whole of a small file as text, cut at the size of the buffer; the negated errno if not.
long read_text(const char* path, char* text, unsigned long size);
long write_text(const char* path, const char* text);
/// Runs the attempt in a child, so that what it changes is gone afterwards. A child that dies of a
/// signal gives -EINTR and says which.
long in_child(long (*attempt)(const char* const* words), const char* const* words);

}  // namespace satellite::escape
