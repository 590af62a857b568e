#include "tests/escape/probe/verb.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace satellite::escape {
namespace {

// Shared with the children of in_child, so that what they say is heard.
char* detail() {
  static char* const text = static_cast<char*>(
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  return text;
}
constexpr unsigned long detail_size = 600;

}  // namespace

void say(const char* format, ...) {
  const unsigned long at = std::strlen(detail());
  if (at + 2 > detail_size) return;
  va_list values;
  va_start(values, format);
  std::vsnprintf(detail() + at, detail_size - at, format, values);
  va_end(values);
}

const char* said() {
  for (char* c = detail(); *c != '\0'; ++c) {
    if (*c == '\n' || *c == '\r') *c = ' ';
  }
  return detail();
}

const char* name_of_errno(int number) {
  const char* const name = ::strerrorname_np(number);
  return name != nullptr ? name : "E?";
}

long try_open(const char* path, int flags) {
  const int fd = ::open(path, flags | O_CLOEXEC, 0600);
  if (fd < 0) return -errno;
  ::close(fd);
  return 0;
}

long read_text(const char* path, char* text, unsigned long size) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  unsigned long filled = 0;
  ssize_t got = 0;
  while (filled + 1 < size && (got = ::read(fd, text + filled, size - filled - 1)) > 0) {
    filled += static_cast<unsigned long>(got);
  }
  const int reason = errno;
  ::close(fd);
  text[filled] = '\0';
  return got < 0 ? -reason : static_cast<long>(filled);
}

long write_text(const char* path, const char* text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  const long result = answered(::write(fd, text, std::strlen(text)));
  ::close(fd);
  return result;
}

long in_child(long (*attempt)(const char* const* words), const char* const* words) {
  auto* const result = static_cast<long*>(
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  *result = -ECHILD;
  const pid_t child = ::fork();
  if (child < 0) return -errno;
  if (child == 0) {
    *result = attempt(words);
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    say("killed by signal %d", WTERMSIG(status));
    return -EINTR;
  }
  return *result;
}

}  // namespace satellite::escape
