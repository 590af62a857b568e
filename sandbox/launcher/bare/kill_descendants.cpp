// Same rules as script_child.cpp: no libc, no allocation. Used by init for a run without its own
// pid namespace, and by the launcher for what is left when such an init was killed.
#include "sandbox/launcher/bare/kill_descendants.hpp"

#include "sandbox/launcher/bare/raw_syscall.hpp"

#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/time_types.h>

namespace satellite::sandbox::bare {
namespace {

constexpr int processes_max = 65'536;
constexpr int stop_passes_max = 200;
constexpr long pass_pause_nanoseconds = 1'000'000;

struct Process {
  int pid = 0, parent = 0;
  bool descends = false, stopped = false, hangs = false;
};

// One scan at a time: init and the launcher have one thread. Untouched pages cost nothing.
Process processes[processes_max];

struct Stat {
  char state = '?';
  int parent = 0;
};

/// /proc/PID/stat: `pid (any text) state parent …`; the text may hold brackets, so the last one
/// counts.
bool read_stat(int pid, Stat& stat) {
  char path[32] = "/proc/";
  int digits = 0;
  char reversed[12];
  for (int rest = pid; rest > 0; rest /= 10) {
    reversed[digits++] = static_cast<char>('0' + rest % 10);
  }
  int at = 6;
  while (digits > 0) path[at++] = reversed[--digits];
  for (const char* c = "/stat"; *c != '\0'; ++c) path[at++] = *c;
  path[at] = '\0';
  const long fd = call(__NR_openat, AT_FDCWD, address(path), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[256];
  const long size = call(__NR_read, fd, address(text), sizeof(text) - 1);
  call(__NR_close, fd);
  long close_bracket = -1;
  for (long i = 0; i < size; ++i) {
    if (text[i] == ')') close_bracket = i;
  }
  if (close_bracket < 0 || close_bracket + 4 >= size) return false;
  stat.state = text[close_bracket + 2];
  stat.parent = 0;
  for (long i = close_bracket + 4; i < size && text[i] >= '0' && text[i] <= '9'; ++i) {
    stat.parent = stat.parent * 10 + (text[i] - '0');
  }
  return true;
}

int number_of(const char* name) {
  int number = 0;
  for (; *name != '\0'; ++name) {
    if (*name < '0' || *name > '9' || number > 100'000'000) return 0;
    number = number * 10 + (*name - '0');
  }
  return number;
}

void note_process(const char* name, int& count) {
  const int pid = number_of(name);
  Stat stat;
  if (pid == 0 || count == processes_max || !read_stat(pid, stat)) return;
  if (stat.state == 'Z' || stat.state == 'X') return;
  // A process in state D cannot be stopped, and cannot fork either.
  const bool hangs = stat.state == 'D';
  const bool stopped = stat.state == 'T' || stat.state == 't' || hangs;
  processes[count++] = {pid, stat.parent, false, stopped, hangs};
}

/// Fills `processes` with all that live; returns how many.
int list_processes() {
  const long directory =
      call(__NR_openat, AT_FDCWD, address("/proc"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return 0;
  alignas(8) static char entries[32'768];
  int count = 0;
  for (;;) {
    const long size = call(__NR_getdents64, directory, address(entries), sizeof(entries));
    if (size <= 0) break;
    // struct linux_dirent64: inode 8, offset 8, record length 2, type 1, then the name.
    for (long at = 0; at < size;) {
      const auto length = *reinterpret_cast<const unsigned short*>(entries + at + 16);
      note_process(entries + at + 19, count);
      at += length;
    }
  }
  call(__NR_close, directory);
  return count;
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
      const bool is_gone = !read_stat(process.pid, stat) || stat.state == 'Z' || stat.state == 'X';
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
  if (read_stat(process.pid, stat) && (stat.parent == process.parent || stat.parent == root)) {
    call(__NR_pidfd_send_signal, pidfd, signal, 0, 0);
  }
  call(__NR_close, pidfd);
}

struct PassResult {
  int alive = 0, newly_stopped = 0;
};

PassResult pass(int root, long signal, const int* spared, int spared_count) {
  const int count = list_processes();
  mark_descendants(root, count, spared, spared_count);
  PassResult result;
  for (int i = 0; i < count; ++i) {
    if (!processes[i].descends) continue;
    ++result.alive;
    if (signal == SIGSTOP && processes[i].stopped) continue;
    ++result.newly_stopped;
    signal_safely(processes[i], root, signal);
  }
  return result;
}

void pause_briefly() {
  const struct { long seconds, nanoseconds; } pause{0, pass_pause_nanoseconds};
  call(__NR_ppoll, 0, 0, address(&pause), 0, 0);
}

}  // namespace

bool kill_descendants(const int* spared, int spared_count, int passes) {
  const int root = static_cast<int>(call(__NR_getpid));
  // Stopping takes at most half of the passes, so that some are left for killing.
  const int stop_passes = passes / 2 < stop_passes_max ? passes / 2 : stop_passes_max;
  for (int i = 0; i < stop_passes; ++i) {
    if (pass(root, SIGSTOP, spared, spared_count).newly_stopped == 0) break;
  }
  // Where something was alive, one look that finds nothing may have missed what was born within it.
  bool was_alive = false;
  for (int i = stop_passes; i < passes; ++i) {
    const bool is_alive = pass(root, SIGKILL, spared, spared_count).alive > 0;
    if (!is_alive && !was_alive) return true;
    was_alive = is_alive;
    pause_briefly();
  }
  return false;
}

bool any_hangs_below(int root) {
  const int count = list_processes();
  mark_descendants(root, count, nullptr, 0);
  for (int i = 0; i < count; ++i) {
    if (processes[i].hangs && (processes[i].descends || processes[i].pid == root)) return true;
  }
  return false;
}

}  // namespace satellite::sandbox::bare
