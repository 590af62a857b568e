// Same rules as script_child.cpp: no libc, no allocation.
#include "sandbox/launcher/bare/open_path.hpp"

#include "sandbox/launcher/bare/raw_syscall.hpp"

#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include <cstdint>

namespace satellite::sandbox::bare {
namespace {

constexpr long as_path = O_PATH | O_NOFOLLOW | O_CLOEXEC;

bool is_link(long fd) {
  constexpr std::uint32_t file_type_mask = 0170000, type_link = 0120000;
  struct statx facts {};
  const long known = call(__NR_statx, fd, address(""), AT_EMPTY_PATH, STATX_TYPE, address(&facts));
  return known < 0 || (facts.stx_mode & file_type_mask) == type_link;
}

/// One part after the other, each below the one before.
long open_part_by_part(const char* path) {
  if (*path != '/') return -EINVAL;
  long fd = call(__NR_openat, AT_FDCWD, address("/"), as_path);
  while (fd >= 0) {
    while (*path == '/') ++path;
    if (*path == '\0') return fd;
    char name[NAME_MAX + 1];
    int length = 0;
    for (; *path != '/' && *path != '\0'; ++path) {
      if (length == NAME_MAX) {
        call(__NR_close, fd);
        return -ENAMETOOLONG;
      }
      name[length++] = *path;
    }
    name[length] = '\0';
    const long next = call(__NR_openat, fd, address(name), as_path);
    call(__NR_close, fd);
    fd = next;
    if (fd < 0 || !is_link(fd)) continue;
    call(__NR_close, fd);
    return -ELOOP;
  }
  return fd;
}

}  // namespace

long open_without_links(const char* path) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(O_PATH | O_CLOEXEC);
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long found =
      call(__NR_openat2, AT_FDCWD, address(path), address(&how), static_cast<long>(sizeof(how)));
  return found == -ENOSYS ? open_part_by_part(path) : found;
}

}  // namespace satellite::sandbox::bare
