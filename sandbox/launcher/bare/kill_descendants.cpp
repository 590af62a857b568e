// Same rules as script_child.cpp: no libc, no allocation. Used by init for a run without its own
// pid namespace, and by the launcher for what is left when such an init was killed.
#include "sandbox/launcher/bare/kill_descendants.hpp"

#include "sandbox/launcher/bare/raw_syscall.hpp"

#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/time_types.h>
#include <linux/wait.h>

namespace satellite::sandbox::bare {
namespace {

constexpr int processes_max = 65'536;
constexpr int stop_passes_max = 200;
constexpr long pass_pause_nanoseconds = 1'000'000;

struct Process {
  int pid = 0, parent = 0;
  bool descends = false, stopped = false, hangs = false;
  bool hides_state = false;  ///< its first thread has ended
};

struct Listing {
  int count = 0;           ///< of those that live, in `processes`
  int ended_children = 0;  ///< that nobody has waited for yet
  bool is_whole = false;
};

// One scan at a time: init and the launcher have one thread. Untouched pages cost nothing.
Process processes[processes_max];

struct Stat {
  char state = '?';
  int parent = 0, threads = 0;

  /// A process whose first thread has ended is shown as a zombie although others go on.
  bool is_ended() const { return state == 'X' || (state == 'Z' && threads <= 1); }
};

/// How many numbers stand between the parent and the count of threads.
constexpr int fields_before_threads = 15;

/// The number at `at`, and `at` behind it and the blank after it; a minus sign is left out.
int take_number(const char* text, long size, long& at) {
  int number = 0;
  for (; at < size && text[at] != ' '; ++at) {
    const bool fits = text[at] >= '0' && text[at] <= '9' && number < 100'000'000;
    if (fits) number = number * 10 + (text[at] - '0');
  }
  ++at;
  return number;
}

/// `missing`: it has ended, or this user may not look at it, and then it is none of ours.
enum class Read { done, missing, failed };

/// /proc/PID/stat: `pid (any text) state parent … threads …`; the text may hold brackets, so the
/// last one counts.
Read read_stat(int pid, Stat& stat) {
  char path[32] = "/proc/";
  int digits = 0;
  char reversed[12];
  for (int rest = pid; rest > 0; rest /= 10) {
    reversed[digits++] = static_cast<char>('0' + rest % 10);
  }
  int end = 6;
  while (digits > 0) path[end++] = reversed[--digits];
  for (const char* c = "/stat"; *c != '\0'; ++c) path[end++] = *c;
  path[end] = '\0';
  const long fd = call(__NR_openat, AT_FDCWD, address(path), O_RDONLY | O_CLOEXEC);
  if (fd == -ENOENT || fd == -ESRCH || fd == -EACCES || fd == -EPERM) return Read::missing;
  if (fd < 0) return Read::failed;
  char text[512];
  const long size = call(__NR_read, fd, address(text), sizeof(text) - 1);
  call(__NR_close, fd);
  long close_bracket = -1;
  for (long i = 0; i < size; ++i) {
    if (text[i] == ')') close_bracket = i;
  }
  if (close_bracket < 0 || close_bracket + 4 >= size) return Read::missing;
  stat.state = text[close_bracket + 2];
  long at = close_bracket + 4;
  stat.parent = take_number(text, size, at);
  for (int i = 0; i < fields_before_threads; ++i) take_number(text, size, at);
  stat.threads = take_number(text, size, at);
  return Read::done;
}

int number_of(const char* name) {
  int number = 0;
  for (; *name != '\0'; ++name) {
    if (*name < '0' || *name > '9' || number > 100'000'000) return 0;
    number = number * 10 + (*name - '0');
  }
  return number;
}

void note_process(const char* name, int root, Listing& listing) {
  const int pid = number_of(name);
  if (pid == 0) return;
  Stat stat;
  const Read read = read_stat(pid, stat);
  if (read == Read::failed) listing.is_whole = false;
  if (read != Read::done) return;
  if (stat.is_ended()) {
    if (stat.parent == root) ++listing.ended_children;
    return;
  }
  if (listing.count == processes_max) {
    listing.is_whole = false;
    return;
  }
  // A process in state D cannot be stopped, and cannot fork either.
  const bool hangs = stat.state == 'D';
  const bool stopped = stat.state == 'T' || stat.state == 't' || hangs;
  processes[listing.count++] = {pid, stat.parent, false, stopped, hangs, stat.state == 'Z'};
}

/// Fills `processes` with all that live.
Listing list_processes(int root) {
  Listing listing;
  const long directory =
      call(__NR_openat, AT_FDCWD, address("/proc"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return listing;
  alignas(8) static char entries[32'768];
  listing.is_whole = true;
  for (;;) {
    const long size = call(__NR_getdents64, directory, address(entries), sizeof(entries));
    if (size < 0) listing.is_whole = false;
    if (size <= 0) break;
    // struct linux_dirent64: inode 8, offset 8, record length 2, type 1, then the name.
    for (long at = 0; at < size;) {
      const auto length = *reinterpret_cast<const unsigned short*>(entries + at + 16);
      note_process(entries + at + 19, root, listing);
      at += length;
    }
  }
  call(__NR_close, directory);
  return listing;
}

bool is_listed(int pid, int count) {
  for (int i = 0; i < count; ++i) {
    if (processes[i].pid == pid) return true;
  }
  return false;
}

/// A parent may have died between the look at its child and the look at itself: the child has
/// another one by then, and would belong to nobody with the one that was read.
void read_lost_parents_again(int root, int count) {
  constexpr int looks_max = 4;
  for (int i = 0; i < count; ++i) {
    Process& process = processes[i];
    for (int look = 0; look < looks_max; ++look) {
      if (process.parent == 0 || process.parent == root) break;
      if (is_listed(process.parent, count)) break;
      Stat stat;
      const bool is_gone = read_stat(process.pid, stat) != Read::done || stat.is_ended();
      process.parent = is_gone ? 0 : stat.parent;
    }
  }
}

bool is_spared(int pid, const int* spared, int spared_count) {
  for (int i = 0; i < spared_count; ++i) {
    if (spared[i] == pid) return true;
  }
  return false;
}

bool descends_from(int parent, int root, int count) {
  if (parent == root) return true;
  for (int i = 0; i < count; ++i) {
    if (processes[i].pid == parent) return processes[i].descends;
  }
  return false;
}

/// Marks every descendant of `root`; children usually have higher pids, so this settles quickly.
void mark_descendants(int root, int count, const int* spared, int spared_count) {
  read_lost_parents_again(root, count);
  for (bool changed = true; changed;) {
    changed = false;
    for (int i = 0; i < count; ++i) {
      Process& process = processes[i];
      if (process.descends || is_spared(process.pid, spared, spared_count)) continue;
      process.descends = descends_from(process.parent, root, count);
      changed = changed || process.descends;
    }
  }
}

/// The pidfd is opened before the parent is read again: if the number was reused meanwhile, either
/// the parent differs or the signal fails. No other process is ever hit.
void signal_safely(const Process& process, int root, long signal) {
  const long pidfd = call(__NR_pidfd_open, process.pid, 0);
  if (pidfd < 0) return;
  Stat stat;
  if (read_stat(process.pid, stat) == Read::done &&
      (stat.parent == process.parent || stat.parent == root)) {
    call(__NR_pidfd_send_signal, pidfd, signal, 0, 0);
  }
  call(__NR_close, pidfd);
}

/// Does not wait for it, so that its number stays its own.
bool is_living_child(int pid) {
  constexpr long p_pid = 1;
  struct {
    int signal, rest[31];  // siginfo_t; no signal is told where nothing has ended
  } told{};
  const long options = WEXITED | WNOHANG | WNOWAIT | __WALL;
  return call(__NR_waitid, p_pid, pid, address(&told), options, 0) == 0 && told.signal == 0;
}

/// Children are signalled as soon as they are read, and those that /proc hides (hidepid), too: of a
/// chain in which each starts the next one and ends, none lives as long as a look at all processes
/// takes. Returns how many were alive.
/// Source: /proc/PID/task/TID/children (proc(5)), which not every kernel has.
int signal_children(long signal, const int* spared, int spared_count) {
  const long fd =
      call(__NR_openat, AT_FDCWD, address("/proc/thread-self/children"), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  int alive = 0, pid = 0;
  for (;;) {
    char text[4'096];
    const long size = call(__NR_read, fd, address(text), sizeof(text));
    if (size <= 0) break;
    for (long i = 0; i < size; ++i) {
      if (text[i] != ' ') {
        pid = pid * 10 + (text[i] - '0');
        continue;
      }
      const int child = pid;
      pid = 0;
      if (is_spared(child, spared, spared_count) || !is_living_child(child)) continue;
      call(__NR_kill, child, signal);
      ++alive;
    }
  }
  call(__NR_close, fd);
  return alive;
}

struct PassResult {
  int alive = 0, newly_stopped = 0, ended_children = 0;
  bool is_whole = false;
};

PassResult pass(int root, long signal, const int* spared, int spared_count) {
  const int children_alive = signal_children(signal, spared, spared_count);
  const Listing listing = list_processes(root);
  mark_descendants(root, listing.count, spared, spared_count);
  PassResult result;
  result.ended_children = listing.ended_children;
  result.is_whole = listing.is_whole;
  for (int i = 0; i < listing.count; ++i) {
    if (!processes[i].descends) continue;
    ++result.alive;
    if (signal == SIGSTOP && processes[i].stopped) continue;
    if (!processes[i].hides_state) ++result.newly_stopped;
    signal_safely(processes[i], root, signal);
  }
  result.alive = result.alive > children_alive ? result.alive : children_alive;
  return result;
}

void pause_briefly() {
  const struct { long seconds, nanoseconds; } pause{0, pass_pause_nanoseconds};
  call(__NR_ppoll, 0, 0, address(&pause), 0, 0);
}

}  // namespace

/// Who lives has a parent that lives, so nothing lives below `root` once none of its children does.
/// A look takes its time, and a child may start another one and end before it is read; but then it
/// is one more zombie, since nobody waits for children meanwhile. A look that finds no living one,
/// and no zombie that the last look had not found, is therefore sure.
bool kill_descendants(const int* spared, int spared_count, int passes) {
  const int root = static_cast<int>(call(__NR_getpid));
  // Stopping takes at most half of the passes, so that some are left for killing.
  const int stop_passes = passes / 2 < stop_passes_max ? passes / 2 : stop_passes_max;
  int ended_before = -1;
  for (int i = 0; i < stop_passes; ++i) {
    const PassResult result = pass(root, SIGSTOP, spared, spared_count);
    ended_before = result.ended_children;
    if (result.newly_stopped == 0) break;
  }
  for (int i = stop_passes; i < passes; ++i) {
    const PassResult result = pass(root, SIGKILL, spared, spared_count);
    const bool is_sure = result.is_whole && result.ended_children == ended_before;
    if (result.alive == 0 && is_sure) return true;
    ended_before = result.ended_children;
    if (result.alive > 0) pause_briefly();
  }
  return false;
}

bool any_hangs_below(int root) {
  const Listing listing = list_processes(root);
  mark_descendants(root, listing.count, nullptr, 0);
  for (int i = 0; i < listing.count; ++i) {
    if (processes[i].hangs && (processes[i].descends || processes[i].pid == root)) return true;
  }
  return false;
}

}  // namespace satellite::sandbox::bare
