#include "tests/escape/probe/verb.hpp"

#include <fcntl.h>
#include <mqueue.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace satellite::escape {
namespace {

long connect_unix(const char* name, bool abstract) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::strncpy(to.sun_path + (abstract ? 1 : 0), name, sizeof(to.sun_path) - 2);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(name) + 1);
  return answered(::connect(fd, reinterpret_cast<const sockaddr*>(&to), size));
}

long connect_abstract(const char* const* words) {
  return connect_unix(words[0], true);
}

/// A name that the kernel chooses, so that runs side by side do not meet.
long connect_own_abstract(const char* const*) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  auto* const generic = reinterpret_cast<sockaddr*>(&name);
  socklen_t size = sizeof(name);
  const int listening = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listening < 0 || ::bind(listening, generic, sizeof(name.sun_family)) != 0 ||
      ::listen(listening, 1) != 0 || ::getsockname(listening, generic, &size) != 0) {
    return -errno;
  }
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  return answered(::connect(fd, generic, size));
}

long connect_path(const char* const* words) {
  return connect_unix(words[0], false);
}

int key_of(const char* word) {
  return static_cast<int>(std::strtol(word, nullptr, 10));
}

long shared_memory(const char* const* words) {
  return answered(::shmget(key_of(words[0]), 0, 0));
}

long semaphores(const char* const* words) {
  return answered(::semget(key_of(words[0]), 0, 0));
}

long message_queue(const char* const* words) {
  return answered(::msgget(key_of(words[0]), 0));
}

long posix_queue(const char* const* words) {
  return answered(::mq_open(words[0], O_RDONLY | O_NONBLOCK));
}

/// A lock on a file that others see as well: one bit at a time, a channel.
long lock_file(const char* const* words) {
  const int fd = ::open(words[0], O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  return answered(::flock(fd, LOCK_EX | LOCK_NB));
}

constexpr Verb verbs[] = {
    {"connect-abstract", 1, Danger::none, connect_abstract},
    {"connect-own-abstract", 0, Danger::none, connect_own_abstract},
    {"connect-path", 1, Danger::none, connect_path},
    {"shared-memory", 1, Danger::none, shared_memory},
    {"semaphores", 1, Danger::none, semaphores},
    {"message-queue", 1, Danger::none, message_queue},
    {"posix-queue", 1, Danger::none, posix_queue},
    {"lock-file", 1, Danger::none, lock_file},
};

}  // namespace

Verbs ipc_verbs() {
  return {verbs, sizeof(verbs) / sizeof(verbs[0])};
}

}  // namespace satellite::escape
