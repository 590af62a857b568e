// What a script has in common with the rest of the host: programs that others may start, resources
// that are counted for everybody together.
#include "tests/escape/probe/internet.hpp"
#include "tests/escape/probe/verb.hpp"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/openat2.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace satellite::escape {
namespace {

constexpr const char* file = "escape-mode";
constexpr const char* directory = "escape-directory";
constexpr long call_fchmodat2 = 452;

bool is(const char* word, const char* name) {
  return std::strcmp(word, name) == 0;
}

long make_with_mode(const char* call, mode_t mode) {
#if defined(SYS_open)
  if (is(call, "open")) return ::syscall(SYS_open, file, O_CREAT | O_RDWR, mode);
  if (is(call, "creat")) return ::syscall(SYS_creat, file, mode);
  if (is(call, "mknod")) return ::syscall(SYS_mknod, file, S_IFREG | mode, 0);
#endif
  if (is(call, "openat")) return ::syscall(SYS_openat, AT_FDCWD, file, O_CREAT | O_RDWR, mode);
  if (is(call, "mknodat")) return ::syscall(SYS_mknodat, AT_FDCWD, file, S_IFREG | mode, 0);
  if (is(call, "mkdir")) return ::mkdir(file, mode);
  if (is(call, "openat2")) {
    open_how how{};
    how.flags = O_CREAT | O_RDWR;
    how.mode = mode;
    return ::syscall(SYS_openat2, AT_FDCWD, file, &how, sizeof(how));
  }
  return -2;
}

long change_mode(const char* call, mode_t mode) {
  const int fd = ::open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0700);
  if (fd < 0) return -1;
  if (is(call, "chmod")) {
#if defined(SYS_chmod)
    return ::syscall(SYS_chmod, file, mode);
#else
    return ::chmod(file, mode);
#endif
  }
  if (is(call, "fchmod")) return ::fchmod(fd, mode);
  if (is(call, "fchmodat")) return ::syscall(SYS_fchmodat, AT_FDCWD, file, mode);
  if (is(call, "fchmodat2")) return ::syscall(call_fchmodat2, AT_FDCWD, file, mode, 0);
  errno = EINVAL;
  return -1;
}

/// set-mode CALL MODE: ok = the file has that mode afterwards.
long set_mode(const char* const* words) {
  ::unlink(file);
  ::rmdir(file);
  ::umask(0);
  const auto mode = static_cast<mode_t>(std::strtoul(words[1], nullptr, 8));
  long result = make_with_mode(words[0], mode);
  if (result == -2) result = change_mode(words[0], mode);
  if (result < 0) return -errno;
  struct stat facts {};
  if (::stat(file, &facts) < 0) return -errno;
  say("mode %o", facts.st_mode & 07777U);
  return (facts.st_mode & 07777U) == mode ? 0 : -ENODATA;
}

/// A file without a name, which gets one later.
long make_nameless(const char* const* words) {
  ::unlink(file);
  ::umask(0);
  const auto mode = static_cast<mode_t>(std::strtoul(words[0], nullptr, 8));
  const int fd = ::open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
  if (fd < 0) return -errno;
  char path[64];
  std::snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  return answered(::linkat(AT_FDCWD, path, AT_FDCWD, file, AT_SYMLINK_FOLLOW));
}

long set_directory_mode(const char* const* words) {
  ::mkdir(directory, 0700);
  return answered(::chmod(directory, static_cast<mode_t>(std::strtoul(words[0], nullptr, 8))));
}

/// The call without the flag that makes it look at a mode: whatever else lies there is no mode.
long open_with_rubbish(const char* const*) {
  return answered(::syscall(SYS_openat, AT_FDCWD, "/proc/self/stat", O_RDONLY | O_CLOEXEC, 07777U));
}

/// Asynchronous work, whose places are counted for the whole host.
long asynchronous_io(const char* const*) {
  aio_context_t context = 0;
  const long result = answered(::syscall(SYS_io_setup, 8U, &context));
  if (result >= 0) ::syscall(SYS_io_destroy, context);
  return result;
}

/// Pages of the host's pool, where it has one; MAP_NORESERVE asks for the permission alone.
long huge_pages(const char* const* words) {
  constexpr unsigned long size = 2UL << 20U;
  if (is(words[0], "map")) {
    void* const block = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
    return block == MAP_FAILED ? -errno : 0;
  }
  if (is(words[0], "file")) {
    return answered(::syscall(SYS_memfd_create, "escape", MFD_CLOEXEC | MFD_HUGETLB));
  }
  const int id = ::shmget(IPC_PRIVATE, size, IPC_CREAT | SHM_HUGETLB | SHM_NORESERVE | 0600);
  if (id >= 0) ::shmctl(id, IPC_RMID, nullptr);
  return answered(id);
}

/// Terminals, of which the kernel has a number for all; up to the given one.
long many_terminals(const char* const* words) {
  const long wanted = std::strtol(words[0], nullptr, 10);
  for (long made = 0; made < wanted; ++made) {
    if (::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC) >= 0) continue;
    const int reason = errno;
    say("%ld terminals", made);
    return -reason;
  }
  return 0;
}

/// The IPv4 option as a sender gives it: the first station; the kernel puts the destination last.
struct [[gnu::packed]] SourceRoute {
  unsigned char kind = 131, length = 7, pointer = 4;  // loose source route
  unsigned char first[4] = {127, 0, 0, 1};
  unsigned char end = 0;
};

/// Segment routing with one segment.
struct SegmentRoute {
  unsigned char next = 0, length = 2, type = 4, left = 0, last_entry = 0, flags = 0;
  unsigned short tag = 0;
  in6_addr segment{};
};

long set_stations(int fd, const char* how) {
  const SourceRoute route;
  SegmentRoute segments;
  segments.segment = in6addr_loopback;
  char control[64] = {};
  if (is(how, "ip")) return ::setsockopt(fd, IPPROTO_IP, IP_OPTIONS, &route, sizeof(route));
  if (is(how, "ip6")) {
    return ::setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, &segments, sizeof(segments));
  }
  if (is(how, "ip6-old")) {
    return ::setsockopt(fd, IPPROTO_IPV6, IPV6_2292PKTOPTIONS, control, 0);
  }
  if (is(how, "ip6-hop")) return ::setsockopt(fd, IPPROTO_IPV6, IPV6_HOPOPTS, control, 8);
  return ::setsockopt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, control, 8);
}

/// stations HOW: whether a socket may name stations for its packets.
long stations(const char* const* words) {
  const bool ipv4 = is(words[0], "ip");
  const int fd = ::socket(ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    say("socket");
    return -errno;
  }
  return answered(set_stations(fd, words[0]));
}

/// send-by-stations FIRST LAST: the same beside one datagram, which no filter of calls can see.
long send_by_stations(const char* const* words) {
  const Address first = address_of(words[0], "0");
  const Address to = address_of(words[1], "7000");
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  char text[] = "escape";
  SourceRoute route;
  std::memcpy(route.first, &first.ipv4().sin_addr, sizeof(route.first));
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(route))] = {};
  iovec part{text, sizeof(text)};
  msghdr message{};
  message.msg_name = const_cast<sockaddr*>(to.get());
  message.msg_namelen = to.size;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const cmsghdr head{CMSG_LEN(sizeof(route)), IPPROTO_IP, IP_RETOPTS};
  std::memcpy(control, &head, sizeof(head));
  std::memcpy(control + CMSG_LEN(0), &route, sizeof(route));
  return answered(::sendmsg(fd, &message, MSG_NOSIGNAL));
}

constexpr Verb verbs[] = {
    {"set-mode", 2, Danger::none, set_mode},
    {"make-nameless", 1, Danger::none, make_nameless},
    {"set-directory-mode", 1, Danger::none, set_directory_mode},
    {"open-with-rubbish", 0, Danger::none, open_with_rubbish},
    {"asynchronous-io", 0, Danger::none, asynchronous_io},
    {"huge-pages", 1, Danger::none, huge_pages},
    {"many-terminals", 1, Danger::none, many_terminals},
    {"stations", 1, Danger::none, stations},
    {"send-by-stations", 2, Danger::none, send_by_stations},
};

}  // namespace

Verbs shared_verbs() {
  return {verbs, sizeof(verbs) / sizeof(verbs[0])};
}

}  // namespace satellite::escape
