#include "tests/escape/probe/verb.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace satellite::escape {
namespace {

long open_read(const char* const* words) {
  char text[64];
  const long size = read_text(words[0], text, sizeof(text));
  return size == 0 ? -ENODATA : size;  // nothing to read is nothing learnt
}

long open_write(const char* const* words) {
  return try_open(words[0], O_WRONLY);
}

long create_file(const char* const* words) {
  const long result = try_open(words[0], O_WRONLY | O_CREAT | O_EXCL);
  if (result >= 0) ::unlink(words[0]);
  return result;
}

long list_directory(const char* const* words) {
  DIR* const listing = ::opendir(words[0]);
  if (listing == nullptr) return -errno;
  int entries = 0;
  while (::readdir(listing) != nullptr) ++entries;
  ::closedir(listing);
  say("%d entries", entries - 2);
  return 0;
}

long look_at(const char* const* words) {
  struct stat facts {};
  return answered(::lstat(words[0], &facts));
}

long open_as_path(const char* const* words) {
  return try_open(words[0], O_PATH);
}

long enter(const char* const* words) {
  return answered(::chdir(words[0]));
}

/// Would tell the names of what is made in a directory.
long watch_names(const char* const* words) {
  const int events = ::inotify_init1(IN_CLOEXEC);
  if (events < 0) return -errno;
  return answered(::inotify_add_watch(events, words[0], IN_CREATE | IN_DELETE));
}

long read_attributes(const char* const* words) {
  char names[4096];
  return answered(::listxattr(words[0], names, sizeof(names)));
}

long make_directory(const char* const* words) {
  const long made = answered(::mkdir(words[0], 0700));
  if (made >= 0) ::rmdir(words[0]);
  return made;
}

long shorten(const char* const* words) {
  return answered(::truncate(words[0], 1));
}

/// Only the errno of a start that failed comes back.
long execute(const char* const* words) {
  const pid_t child = ::fork();
  if (child == 0) {
    const char* const arguments[] = {words[0], nullptr};
    ::execv(words[0], const_cast<char* const*>(arguments));
    ::_exit(errno == ENOEXEC ? 0 : errno);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return -errno;
  return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

long read_link(const char* const* words) {
  char target[512] = {};
  const long result = answered(::readlink(words[0], target, sizeof(target) - 1));
  say("%s", target);
  return result;
}

/// Climbs from a kept directory descriptor instead of from the root.
long climb(const char* const* words) {
  const int here = ::open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (here < 0) return -errno;
  char path[4096] = {};
  for (int i = 0; i < 40; ++i) std::strcat(path, "../");
  std::strncat(path, words[0] + 1, 2048);
  const int fd = ::openat(here, path, O_RDONLY | O_CLOEXEC);
  return answered(fd);
}

/// Turns \040 of mountinfo back into a blank, in place.
void unescape(char* text) {
  char* to = text;
  for (const char* from = text; *from != '\0'; ++to) {
    if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3') {
      *to = static_cast<char>(std::strtoul(from + 1, nullptr, 8));
      char digits[4] = {from[1], from[2], from[3], '\0'};
      *to = static_cast<char>(std::strtoul(digits, nullptr, 8));
      from += 4;
    } else {
      *to = *from++;
    }
  }
  *to = '\0';
}

/// Tries to leave a file at the root of every mount there is, and names those that took it.
long write_everywhere(const char* const*) {
  std::FILE* const mounts = std::fopen("/proc/self/mountinfo", "re");
  if (mounts == nullptr) return -errno;
  static char line[8192];
  long taken = 0;
  while (std::fgets(line, sizeof(line), mounts) != nullptr) {
    char point[4096];
    if (std::sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1) continue;
    unescape(point);
    char path[4200];
    std::snprintf(path, sizeof(path), "%s/escape-witness-%d", point, ::getpid());
    if (try_open(path, O_WRONLY | O_CREAT | O_EXCL) < 0) continue;
    ::unlink(path);
    ++taken;
    say("%s ", point);
  }
  std::fclose(mounts);
  return taken > 0 ? taken : -EROFS;
}

long make_node(const char* const* words) {
  const bool block = std::strcmp(words[0], "block") == 0;
  const mode_t type = block ? S_IFBLK : S_IFCHR;
  const dev_t device = block ? makedev(254, 0) : makedev(1, 1);
  const long result = answered(::mknod("escape-node", type | 0600, device));
  if (result < 0) return result;
  const long opened = try_open("escape-node", O_RDONLY);
  ::unlink("escape-node");
  say("open: %s", opened < 0 ? name_of_errno(static_cast<int>(-opened)) : "ok");
  return opened;
}

/// A device node of /dev that a sandbox has no use for.
long open_device(const char* const* words) {
  return try_open(words[0], O_RDONLY | O_NONBLOCK);
}

/// Gives a program of ours a capability to start with.
long file_capability(const char* const*) {
  const int fd = ::open("escape-capable", O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
  if (fd < 0) return -errno;
  const unsigned data[5] = {0x02000001, 1U << 21U, 0, 0, 0};  // VFS_CAP_REVISION_2, CAP_SYS_ADMIN
  const long result = answered(::fsetxattr(fd, "security.capability", data, sizeof(data), 0));
  ::close(fd);
  ::unlink("escape-capable");
  return result;
}

long handle_open(const char* const*) {
  alignas(file_handle) char memory[sizeof(file_handle) + 128] = {};
  auto* const handle = reinterpret_cast<file_handle*>(memory);
  handle->handle_bytes = 128;
  int mount = 0;
  const long named = answered(::name_to_handle_at(AT_FDCWD, "/", handle, &mount, 0));
  say("name: %s", named < 0 ? name_of_errno(static_cast<int>(-named)) : "ok");
  if (named < 0) {  // a handle of a kind the kernel checks only after the permission
    handle->handle_bytes = 8;
    handle->handle_type = 1;
  }
  const int root = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return answered(::open_by_handle_at(root, handle, O_RDONLY));
}

long name_handle(const char* const*) {
  alignas(file_handle) char memory[sizeof(file_handle) + 128] = {};
  auto* const handle = reinterpret_cast<file_handle*>(memory);
  handle->handle_bytes = 128;
  int mount = 0;
  return answered(::name_to_handle_at(AT_FDCWD, "/usr", handle, &mount, 0));
}

/// Runs a program that exists only in memory.
long memory_exec(const char* const*) {
  const int fd = static_cast<int>(::syscall(SYS_memfd_create, "escape", MFD_CLOEXEC));
  if (fd < 0) return -errno;
  static char program[4 << 20];
  const long size = read_text("/proc/self/exe", program, sizeof(program));
  if (size < 0) return size;
  if (::write(fd, program, static_cast<unsigned long>(size)) != size) return -errno;
  const pid_t child = ::fork();
  if (child == 0) {
    char* const none[] = {nullptr};
    ::fexecve(fd, none, none);
    ::_exit(errno);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  // Without words the probe refuses, which is all it takes to know that it ran.
  if (WIFEXITED(status) && WEXITSTATUS(status) == 99) return 0;
  return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

/// Whether a program with the set-user-id bit gets its power: the loader of such a program ignores
/// LD_SHOW_AUXV, and of any other it prints the true and the effective user.
long setuid_program(const char* const* words) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return -errno;
  struct stat facts {};
  if (::stat(words[0], &facts) < 0) return -errno;
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], 1);
    ::close(2);
    const char* const arguments[] = {words[0], "--version", nullptr};
    const char* const environment[] = {"LD_SHOW_AUXV=1", nullptr};
    ::execve(words[0], const_cast<char* const*>(arguments), const_cast<char* const*>(environment));
    ::_exit(errno);
  }
  ::close(ends[1]);
  static char text[8192];
  unsigned long filled = 0;
  for (ssize_t got = 0; (got = ::read(ends[0], text + filled, sizeof(text) - 1 - filled)) > 0;) {
    filled += static_cast<unsigned long>(got);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  say("mode %o", facts.st_mode & 07777U);
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) return -WEXITSTATUS(status);
  return std::strstr(text, "AT_SECURE:") != nullptr ? -EPERM : 0;
}

/// Whether the mount of a path ignores set-user-id bits and devices; ok = it does not.
long mount_honours_setuid(const char* const* words) {
  struct statvfs facts {};
  if (::statvfs(words[0], &facts) < 0) return -errno;
  say("flags %lx", facts.f_flag);
  return (facts.f_flag & ST_NOSUID) != 0 ? -EPERM : 0;
}

/// The first capability of a hard link to what we may not read: it must not be ours to make.
long hard_link(const char* const* words) {
  const long result = answered(::link(words[0], "escape-link"));
  if (result >= 0) ::unlink("escape-link");
  return result;
}

constexpr Verb verbs[] = {
    {"open-read", 1, Danger::none, open_read},
    {"open-write", 1, Danger::none, open_write},
    {"create-file", 1, Danger::none, create_file},
    {"list-directory", 1, Danger::none, list_directory},
    {"look-at", 1, Danger::none, look_at},
    {"open-as-path", 1, Danger::none, open_as_path},
    {"enter", 1, Danger::none, enter},
    {"watch", 1, Danger::none, watch_names},
    {"read-attributes", 1, Danger::none, read_attributes},
    {"make-directory", 1, Danger::none, make_directory},
    {"shorten", 1, Danger::none, shorten},
    {"execute", 1, Danger::none, execute},
    {"read-link", 1, Danger::none, read_link},
    {"climb", 1, Danger::none, climb},
    {"write-everywhere", 0, Danger::none, write_everywhere},
    {"make-node", 1, Danger::other, make_node},
    {"open-device", 1, Danger::none, open_device},
    {"file-capability", 0, Danger::none, file_capability},
    {"open-by-handle", 0, Danger::none, handle_open},
    {"name-to-handle", 0, Danger::none, name_handle},
    {"memory-exec", 0, Danger::none, memory_exec},
    {"setuid-program", 1, Danger::none, setuid_program},
    {"mount-honours-setuid", 1, Danger::none, mount_honours_setuid},
    {"hard-link", 1, Danger::none, hard_link},
};

}  // namespace

Verbs file_verbs() {
  return {verbs, sizeof(verbs) / sizeof(verbs[0])};
}

}  // namespace satellite::escape
