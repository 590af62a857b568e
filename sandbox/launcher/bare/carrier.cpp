// Runs between clone and the start of init, and in the script's process before its command: raw
// system calls over prepared values, no libc.
#include "sandbox/launcher/bare/carrier.hpp"

#include "sandbox/launcher/bare/open_path.hpp"

#include <asm/errno.h>
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <linux/time_types.h>

#include <cstddef>

namespace satellite::sandbox::bare {
namespace {

// linux/stat.h hides these from a program that has seen a header of glibc.
constexpr std::uint32_t file_type_mask = 0170000, type_directory = 0040000;
constexpr std::uint32_t open_to_others = 0077, open_to_anybody = 0777;
constexpr long mnt_detach = 2;  // MNT_DETACH, which no kernel header exports
// Of statx(2), since Linux 5.8; not in every linux/stat.h.
constexpr std::uint64_t is_mount_root = 0x2000;

constexpr std::uint64_t carrier_flags =
    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
constexpr std::uint64_t all_flags = carrier_flags;

constexpr long as_path = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr long clock_realtime = 0;  // CLOCK_REALTIME
constexpr int entries_looked_at_max = 512;
constexpr unsigned char entry_is_directory = 4;  // DT_DIR

// A directory with this name is ours: the process that made it was killed before it removed it.
constexpr char own_prefix[] = ".csat-carrier-";
constexpr std::size_t own_name_size = sizeof(own_prefix) + 16;

/// getdents64(2).
struct Entry {
  std::uint64_t inode;
  std::int64_t offset;
  unsigned short size;
  unsigned char type;
  char name[1];
};

/// The root directory of the file system.
struct Top {
  long fd = -1;
  struct statx facts {};
};

/// What serves among the first entries of a file system's root.
struct Entries {
  long closed = -ENOENT;
  char left[own_name_size] = {};  ///< by an earlier process of ours; empty = nothing
};

bool facts_of(long fd, struct statx& facts) {
  constexpr std::uint32_t wanted = STATX_TYPE | STATX_MODE | STATX_UID | STATX_NLINK;
  return call(__NR_statx, fd, address(""), AT_EMPTY_PATH, wanted, address(&facts)) >= 0;
}

std::uint64_t device_of(const struct statx& facts) {
  return (static_cast<std::uint64_t>(facts.stx_dev_major) << 32U) | facts.stx_dev_minor;
}

bool is_at_mount(const struct statx& facts) {
  return (facts.stx_attributes_mask & facts.stx_attributes & is_mount_root) != 0;
}

std::uint32_t own_user() {
  return static_cast<std::uint32_t>(call(__NR_geteuid));
}

/// Nobody but root may do anything, and no script is root. A mode tells at least what a list of
/// accesses grants (acl(5)).
bool is_closed(const DiskOrder& order, const struct statx& facts) {
  const bool is_directory = (facts.stx_mode & file_type_mask) == type_directory;
  // In another user namespace root reads as nobody, as all do but its own user, who is the script.
  const bool is_roots = order.by_root ? facts.stx_uid == 0 : facts.stx_uid != own_user();
  return is_directory && is_roots && (facts.stx_mode & open_to_others) == 0;
}

bool is_part_of(const struct statx& facts, const struct statx& top_facts) {
  return !is_at_mount(facts) && device_of(facts) == device_of(top_facts);
}

/// `name` in the file system's root if it is a closed directory of the same file system.
long closed_directory(const DiskOrder& order, const Top& top, const char* name) {
  const long directory = call(__NR_openat, top.fd, address(name), as_path);
  if (directory < 0) return directory;
  struct statx facts {};
  const bool is_usable =
      facts_of(directory, facts) && is_closed(order, facts) && is_part_of(facts, top.facts);
  if (is_usable) return directory;
  call(__NR_close, directory);
  return -ENOENT;
}

bool has_own_name(const char* name) {
  for (std::size_t i = 0; i + 1 < sizeof(own_prefix); ++i) {
    if (name[i] != own_prefix[i]) return false;
  }
  std::size_t size = 0;
  while (name[size] != '\0') ++size;
  return size == own_name_size - 1;
}

void keep_name(const char* name, char (&kept)[own_name_size]) {
  for (std::size_t i = 0; i < own_name_size; ++i) kept[i] = name[i];
}

/// As we make them, and by nobody who lives: mounting one takes no minute. Anybody may make a
/// directory of that name, but not for us.
bool was_left_behind(long top, const char* name) {
  constexpr std::int64_t age_min = 60;
  struct statx facts {};
  __kernel_timespec now{};
  constexpr std::uint32_t wanted = STATX_TYPE | STATX_MODE | STATX_UID | STATX_CTIME;
  const bool is_known =
      has_own_name(name) &&
      call(__NR_statx, top, address(name), AT_SYMLINK_NOFOLLOW, wanted, address(&facts)) >= 0;
  call(__NR_clock_gettime, clock_realtime, address(&now));
  // It takes the set-group-id bit from the directory that it is in.
  return is_known && (facts.stx_mode & file_type_mask) == type_directory &&
         (facts.stx_mode & open_to_anybody) == 0 && facts.stx_uid == own_user() &&
         facts.stx_ctime.tv_sec + age_min < now.tv_sec;
}

void look_at_entry(const DiskOrder& order, const Top& top, const char* name, Entries& entries) {
  const bool is_dots = name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
  if (is_dots) return;
  if (was_left_behind(top.fd, name)) keep_name(name, entries.left);
  // That of another process goes in a moment. Without root a closed directory may be a stranger's,
  // who opens it later.
  const bool may_serve = order.by_root && entries.closed < 0 && !has_own_name(name);
  if (may_serve) entries.closed = closed_directory(order, top, name);
}

Entries look_through(const DiskOrder& order, const Top& top) {
  Entries entries;
  const long listing =
      call(__NR_openat, top.fd, address("."), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (listing < 0) return entries;
  alignas(8) char buffer[4096];
  int looked_at = 0;
  for (long size = 1; size > 0 && looked_at < entries_looked_at_max;) {
    size = call(__NR_getdents64, listing, address(buffer), sizeof(buffer));
    for (long at = 0; at < size; ++looked_at) {
      const auto* const entry = reinterpret_cast<const Entry*>(buffer + at);
      at += entry->size;
      if (entry->type == entry_is_directory) look_at_entry(order, top, entry->name, entries);
    }
  }
  call(__NR_close, listing);
  return entries;
}

void make_own_name(char (&name)[own_name_size]) {
  unsigned char random[8] = {};
  call(__NR_getrandom, address(random), sizeof(random), 0);
  std::size_t at = 0;
  for (; own_prefix[at] != '\0'; ++at) name[at] = own_prefix[at];
  for (const unsigned char byte : random) {
    name[at++] = "0123456789abcdef"[byte >> 4U];
    name[at++] = "0123456789abcdef"[byte & 15U];
  }
  name[at] = '\0';
}

/// As a mount with its flags at the target, which is made.
bool mount_carrier(long directory, const char* target) {
  const long tree = call(__NR_open_tree, directory, address(""),
                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  if (tree < 0) return false;
  mount_attr flags{};
  flags.attr_set = carrier_flags;
  const long set =
      call(__NR_mount_setattr, tree, address(""), AT_EMPTY_PATH, address(&flags), sizeof(flags));
  const long made = call(__NR_mkdirat, AT_FDCWD, address(target), 0755);
  bool is_there = set >= 0 || set == -ENOSYS;
  is_there = is_there && call(__NR_move_mount, tree, address(""), AT_FDCWD, address(target),
                              MOVE_MOUNT_F_EMPTY_PATH) >= 0;
  call(__NR_close, tree);
  if (is_there && set == -ENOSYS) {
    is_there = add_mount_flags(target, carrier_flags) >= 0;
    if (!is_there) call(__NR_umount2, address(target), 0);
  }
  // An empty directory would show the sizes of the file system above it.
  if (!is_there && made >= 0) call(__NR_unlinkat, AT_FDCWD, address(target), AT_REMOVEDIR);
  return is_there;
}

bool mount_and_close(long directory, const char* target) {
  const bool is_there = mount_carrier(directory, target);
  call(__NR_close, directory);
  return is_there;
}

/// Whose directory the name leads to is another's to decide, if the file system's root is his: only
/// one of ours serves, and only when it is gone from there.
bool mount_own_directory(const DiskOrder& order, const Top& top, const char* name) {
  const long directory = call(__NR_openat, top.fd, address(name), as_path);
  if (directory < 0) return false;
  // Root is no script, but the script has the user of a satellite without root.
  const std::uint32_t closed_bits = order.by_root ? open_to_others : open_to_anybody;
  struct statx facts {};
  const bool is_own = facts_of(directory, facts) && is_part_of(facts, top.facts) &&
                      (facts.stx_mode & file_type_mask) == type_directory &&
                      (facts.stx_mode & closed_bits) == 0 && facts.stx_uid == own_user();
  bool is_there = is_own && mount_carrier(directory, order.target);
  // The mount stays; from now on nothing can be made in it.
  call(__NR_unlinkat, top.fd, address(name), AT_REMOVEDIR);
  const bool is_dead = facts_of(directory, facts) && facts.stx_nlink == 0;
  if (is_there && !is_dead) {
    call(__NR_umount2, address(order.target), mnt_detach);
    call(__NR_unlinkat, AT_FDCWD, address(order.target), AT_REMOVEDIR);
    is_there = false;
  }
  call(__NR_close, directory);
  return is_there;
}

/// What an earlier process left is taken first, so that it goes.
bool show_by_own_directory(const DiskOrder& order, const Top& top, char (&left)[own_name_size]) {
  if (!order.may_make) return false;
  if (left[0] == '\0') {
    make_own_name(left);
    if (call(__NR_mkdirat, top.fd, address(left), 0) < 0) return false;
  }
  return mount_own_directory(order, top, left);
}

/// First what tells nothing: the directory that such file systems are made with, and one that is
/// gone. The name of another one stands in mountinfo, and its date in its inode.
void show_by_a_carrier(const DiskOrder& order, const Top& top) {
  if (order.by_root || order.is_guarded) {
    const long directory = closed_directory(order, top, "lost+found");
    if (directory >= 0 && mount_and_close(directory, order.target)) return;
  }
  Entries entries = look_through(order, top);
  bool is_shown = show_by_own_directory(order, top, entries.left);
  if (entries.closed >= 0) {
    is_shown = is_shown || mount_carrier(entries.closed, order.target);
    call(__NR_close, entries.closed);
  }
  if (is_shown || !order.by_root || !is_closed(order, top.facts)) return;
  const long itself = call(__NR_openat, top.fd, address("."), as_path);
  if (itself >= 0) mount_and_close(itself, order.target);
}

}  // namespace

long add_mount_flags(const char* path, std::uint64_t flags) {
  mount_attr wanted{};
  wanted.attr_set = flags;
  const long set =
      call(__NR_mount_setattr, AT_FDCWD, address(path), 0, address(&wanted), sizeof(wanted));
  if (set != -ENOSYS) return set;
  // Before Linux 5.12. A remount replaces all flags, so the present ones are passed again: a user
  // namespace may not clear a flag that its parent set.
  struct statfs facts {};
  const long known = call(__NR_statfs, address(path), address(&facts));
  if (known < 0) return known;
  const std::uint64_t kept = static_cast<std::uint64_t>(facts.f_flags) & all_flags;
  return call(__NR_mount, 0, address(path), 0,
              static_cast<long>(MS_BIND | MS_REMOUNT | flags | kept), 0);
}

void show_disk(const DiskOrder& order) {
  Top top;
  top.fd = open_without_links(order.place);
  if (top.fd < 0) return;
  const bool is_meant = facts_of(top.fd, top.facts) && is_at_mount(top.facts) &&
                        (order.device == 0 || order.device == device_of(top.facts));
  if (is_meant) show_by_a_carrier(order, top);
  call(__NR_close, top.fd);
}

namespace {

/// Whether the script can do nothing there: it may neither list nor enter the directory, or that
/// one was removed.
long prove_disk(const char* path) {
  const long opened =
      call(__NR_openat, AT_FDCWD, address(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (opened == -EACCES) {
    constexpr long may_enter = 1;  // X_OK
    const long entered = call(__NR_faccessat, AT_FDCWD, address(path), may_enter);
    return entered == -EACCES ? 0 : -EPERM;
  }
  if (opened < 0) return opened;
  struct statx facts {};
  const bool is_removed = facts_of(opened, facts) && facts.stx_nlink == 0;
  call(__NR_close, opened);
  return is_removed ? 0 : -EPERM;
}

}  // namespace

void prove_disks(const Attempt& attempt, const InitBlock& block) {
  const char* path = reinterpret_cast<const char*>(&block) + block.disks;
  for (std::uint32_t i = 0; i < block.disk_count; ++i) {
    const auto index = static_cast<int>(i);
    attempt.check_fault(SetupStep::disk, index);
    struct statfs facts {};
    const long known = call(__NR_statfs, address(path), address(&facts));
    // No carrier was found, and so there is no place.
    const bool is_absent = known == -ENOENT || known == -ENOTDIR;
    const long proven = is_absent ? 0 : (known < 0 ? known : prove_disk(path));
    if (proven < 0) attempt.give_up(SetupStep::disk, index, proven);
    while (*path != '\0') ++path;
    ++path;
  }
}

}  // namespace satellite::sandbox::bare
