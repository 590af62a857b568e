// Attempts to use up the host. Each ends by itself at a bound of its own, should nothing else stop
// it; none may run outside a sandbox.
#include "tests/escape/probe/verb.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace satellite::escape {
namespace {

constexpr long tries_max = 100'000;

/// Children that only wait, until no more can be made; how many, and what the kernel said then.
long fork_many(const char* const*) {
  long made = 0;
  int reason = 0;
  for (; made < tries_max; ++made) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
    if (child < 0) {
      reason = errno;
      break;
    }
  }
  say("%ld processes", made);
  return -reason;
}

/// The same, but stays: says so at once and then waits until it is ended.
long fork_and_stay(const char* const* words) {
  const long result = fork_many(words);
  std::printf("full\n");
  std::fflush(stdout);
  ::pause();
  return result;
}

void* wait_for_ever(void*) {
  ::pause();
  return nullptr;
}

long thread_many(const char* const*) {
  pthread_attr_t small;
  ::pthread_attr_init(&small);
  ::pthread_attr_setstacksize(&small, 16'384);
  long made = 0;
  int reason = 0;
  for (; made < tries_max; ++made) {
    pthread_t thread;
    reason = ::pthread_create(&thread, &small, wait_for_ever, nullptr);
    if (reason != 0) break;
  }
  say("%ld threads", made);
  return -reason;
}

/// Children that have ended and that nobody collects.
long zombie_many(const char* const*) {
  long made = 0;
  int reason = 0;
  for (; made < tries_max; ++made) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    if (child < 0) {
      reason = errno;
      break;
    }
  }
  say("%ld zombies", made);
  return -reason;
}

long open_many(const char* const*) {
  long made = 0;
  int reason = 0;
  for (; made < tries_max * 20; ++made) {
    if (::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) continue;
    reason = errno;
    break;
  }
  say("%ld files", made);
  return -reason;
}

/// Fills a file in the given directory up to the given number of mebibytes.
long fill_disk(const char* const* words) {
  ::signal(SIGXFSZ, SIG_IGN);
  char path[512];
  std::snprintf(path, sizeof(path), "%s/escape-fill", words[0]);
  const int fd = ::open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return -errno;
  static char block[1 << 20];
  const long wanted = std::strtol(words[1], nullptr, 10);
  long written = 0;
  int reason = 0;
  while (written < wanted) {
    const ssize_t got = ::write(fd, block, sizeof(block));
    if (got < 0) {
      reason = errno;
      break;
    }
    ++written;
  }
  say("%ld MiB", written);
  return -reason;
}

long fill_inodes(const char* const* words) {
  const long wanted = std::strtol(words[1], nullptr, 10);
  long made = 0;
  int reason = 0;
  for (; made < wanted; ++made) {
    char path[512];
    std::snprintf(path, sizeof(path), "%s/escape-inode-%ld", words[0], made);
    const int fd = ::open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
      reason = errno;
      break;
    }
    ::close(fd);
  }
  say("%ld files", made);
  return -reason;
}

/// Memory that is really used, up to the given number of mebibytes.
long fill_memory(const char* const* words) {
  const long wanted = std::strtol(words[0], nullptr, 10);
  long taken = 0;
  int reason = 0;
  for (; taken < wanted; ++taken) {
    void* const block = ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (block == MAP_FAILED) {
      reason = errno;
      break;
    }
  }
  say("%ld MiB", taken);
  return -reason;
}

/// Descriptors in messages that nobody receives. The kernel counts them per user, across all
/// sandboxes, and refuses to whoever of that user has the lower limit. Stays until it is ended.
long send_many(const char* const*) {
  long made = 0;
  int reason = 0;
  constexpr int descriptors_per_message = 250;
  alignas(cmsghdr) char control[CMSG_SPACE(descriptors_per_message * sizeof(int))] = {};
  while (reason == 0) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0) break;
    for (int i = 0; i < 10 && reason == 0; ++i) {
      char byte = 0;
      iovec part{&byte, 1};
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof(control);
      auto* const header = reinterpret_cast<cmsghdr*>(control);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(descriptors_per_message * sizeof(int));
      std::memset(CMSG_DATA(header), 0, descriptors_per_message * sizeof(int));
      if (::sendmsg(ends[0], &message, MSG_DONTWAIT) >= 0) {
        made += descriptors_per_message;
      } else if (errno == EAGAIN) {
        break;
      } else {
        reason = errno;
      }
    }
  }
  std::printf("full %ld %s\n", made, name_of_errno(reason));
  std::fflush(stdout);
  ::pause();
  return -reason;
}

constexpr Verb verbs[] = {
    {"send-many", 0, Danger::other, send_many},
    {"fork-many", 0, Danger::other, fork_many},
    {"fork-and-stay", 0, Danger::other, fork_and_stay},
    {"thread-many", 0, Danger::other, thread_many},
    {"zombie-many", 0, Danger::other, zombie_many},
    {"open-many", 0, Danger::other, open_many},
    {"fill-disk", 2, Danger::other, fill_disk},
    {"fill-inodes", 2, Danger::other, fill_inodes},
    {"fill-memory", 1, Danger::other, fill_memory},
};

}  // namespace

Verbs flood_verbs() {
  return {verbs, sizeof(verbs) / sizeof(verbs[0])};
}

}  // namespace satellite::escape
