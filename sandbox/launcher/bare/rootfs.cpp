// Runs between clone and the start of init: raw system calls over prepared values, no libc.
#include "sandbox/launcher/bare/rootfs.hpp"

#include "sandbox/launcher/bare/hardening.hpp"

#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/stat.h>

namespace satellite::sandbox::bare {
namespace {

constexpr long error_exists = -17;          // EEXIST
constexpr long error_no_entry = -2;         // ENOENT
constexpr long error_invalid = -22;         // EINVAL
constexpr long error_no_system_call = -38;  // ENOSYS
constexpr long error_not_permitted = -1;    // EPERM
constexpr long error_io = -5;               // EIO
constexpr long error_name_too_long = -36;   // ENAMETOOLONG
constexpr long link_size_max = 4'096;       // PATH_MAX, with the NUL that we add
constexpr std::uint32_t character_device = 0020000;
constexpr std::uint32_t regular_file = 0100000, directory_file = 0040000, type_of_file = 0170000;
constexpr std::uint32_t readable_by_all = 0004;
constexpr std::uint64_t copied_size_max = 16U << 10U;
constexpr long recursive = 0x8000;  // AT_RECURSIVE
constexpr long here = AT_FDCWD;
constexpr long lazily = 2;  // MNT_DETACH

// Where the new root is put together: there on every host, and hiding it hides nothing we need.
constexpr const char* building_site = "/proc";
constexpr const char* root_options = "mode=0755,size=8m,nr_inodes=4k";

constexpr std::uint64_t quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
constexpr std::uint64_t quiet_device = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
constexpr std::uint64_t all_attributes =
    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
constexpr unsigned long quiet_memory = MS_NOSUID | MS_NODEV;

class FileView {
 public:
  FileView(const Attempt& attempt, int index, const PreparedStep& step)
      : attempt_(attempt), index_(index), step_(step) {}

  void build() const {
    switch (step_.kind) {
      case FileStepKind::directory:
        return make_directory();
      case FileStepKind::link:
        return make_link(step_.source);
      case FileStepKind::text:
        return write_new(step_.source);
      case FileStepKind::append:
        return write_text(O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, step_.source);
      case FileStepKind::copy:
        return copy_or_skip();
      case FileStepKind::mirror:
        return mirror();
      case FileStepKind::bind:
        return bind(quiet | read_only(), recursive);
      case FileStepKind::device:
        return bind(quiet_device, 0);
      case FileStepKind::node:
        return make_node();
      case FileStepKind::memory:
        return mount_fresh("tmpfs", quiet_memory, step_.source);
      case FileStepKind::processes:
        return mount_fresh("proc", quiet_memory | MS_NOEXEC, nullptr);
      case FileStepKind::terminals:
        return mount_fresh("devpts", MS_NOSUID | MS_NOEXEC,
                           "newinstance,ptmxmode=0666,mode=620,max=64");
      case FileStepKind::read_only:
        return cover(step_.target);
      case FileStepKind::mask:
        return cover(step_.source);
      case FileStepKind::setting:
        return write_setting();
      case FileStepKind::remove: {
        must(__NR_unlinkat, here, address(step_.target), 0);
        return;
      }
    }
    attempt_.give_up(SetupStep::file_step, index_, error_invalid);
  }

 private:
  long may(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) const {
    return attempt_.may(SetupStep::file_step, index_, number, a, b, c, d, e);
  }
  long must(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) const {
    return attempt_.must(SetupStep::file_step, index_, number, a, b, c, d, e);
  }
  void succeed(long result) const {
    if (result < 0) attempt_.give_up(SetupStep::file_step, index_, result);
  }
  /// Whether the step is over because its source is not there, as it may be.
  bool skipped(long result) const {
    if (result == error_no_entry && step_.optional) return true;
    succeed(result);
    return false;
  }
  std::uint64_t read_only() const { return step_.writable ? 0 : MOUNT_ATTR_RDONLY; }

  void make_directory() const {
    const long made = may(__NR_mkdirat, here, address(step_.target), step_.mode | 0500U);
    if (made != error_exists) succeed(made);
  }
  void make_link(const char* to) const {
    must(__NR_symlinkat, address(to), here, address(step_.target));
  }

  /// Containers may forbid nodes; a host's own node, bound, serves as well.
  void make_node() const {
    const long made = may(__NR_mknodat, here, address(step_.target), character_device | step_.mode,
                          static_cast<long>(step_.number));
    if (made == error_not_permitted) return bind(quiet_device, 0);
    succeed(made);
  }

  /// A full file system takes the part that fits, and says so only when it is asked again.
  void write_all(long fd, const char* bytes, long size) const {
    while (size > 0) {
      const long written = must(__NR_write, fd, address(bytes), size);
      if (written == 0) attempt_.give_up(SetupStep::file_step, index_, error_io);
      bytes += written;
      size -= written;
    }
  }

  void write_new(const char* text) const {
    write_text(O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, text);
  }

  void write_text(long flags, const char* text) const {
    const long fd = must(__NR_openat, here, address(step_.target), flags, step_.mode);
    long size = 0;
    while (text[size] != '\0') ++size;
    write_all(fd, text, size);
    call(__NR_close, fd);
  }

  void write_setting() const {
    must(__NR_getpid);  // the seam of a step that is more than one call
    static_cast<void>(skipped(write_file(step_.target, step_.source)));
  }

  struct statx facts_of(long fd) const {
    struct statx facts {};
    must(__NR_statx, fd, address(""), AT_EMPTY_PATH, STATX_TYPE | STATX_MODE | STATX_SIZE,
         address(&facts));
    return facts;
  }

  /// Only what everybody on the host may read; anything else the script would not see there either.
  void copy(long source) const {
    char buffer[4096];
    const long target = must(__NR_openat, here, address(step_.target),
                             O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    for (;;) {
      const long size = must(__NR_read, source, address(buffer), sizeof(buffer));
      if (size == 0) break;
      write_all(target, buffer, size);
    }
    call(__NR_close, target);
    call(__NR_close, source);
  }

  void copy_or_skip() const {
    const long source =
        may(__NR_openat, here, address(step_.source), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (source == -13 || skipped(source)) return;
    const auto facts = facts_of(source);
    const bool plain = (facts.stx_mode & type_of_file) == regular_file;
    if (!plain || (facts.stx_mode & readable_by_all) == 0) {
      call(__NR_close, source);
      return;
    }
    copy(source);
  }

  void mirror() const {
    char link[link_size_max];
    const long length =
        may(__NR_readlinkat, here, address(step_.source), address(link), sizeof(link));
    if (length >= 0) {
      // What filled the buffer may have been cut.
      if (length == link_size_max) succeed(error_name_too_long);
      link[length] = '\0';
      return make_link(link);
    }
    if (length != error_invalid && skipped(length)) return;
    struct statx facts {};
    const long known =
        may(__NR_statx, here, address(step_.source), 0, STATX_TYPE | STATX_SIZE, address(&facts));
    if (skipped(known)) return;
    const bool directory = (facts.stx_mode & type_of_file) == directory_file;
    if (!directory && facts.stx_size <= copied_size_max) return copy_or_skip();
    bind(quiet | MOUNT_ATTR_RDONLY, recursive);
  }

  /// A detached copy of the source gets its flags first and its place last. None is made to be
  /// thrown away: closing one that was never attached waits for an RCU grace period of the host.
  void bind(std::uint64_t attributes, long depth) const {
    const long tree = may(__NR_open_tree, here, address(step_.source),
                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | depth);
    if (tree == error_no_system_call) return bind_the_old_way(attributes, depth);
    if (skipped(tree)) return;
    make_place((facts_of(tree).stx_mode & type_of_file) == directory_file);
    place(tree, attributes, depth);
  }

  /// Something that is there already, or the empty thing, over the target.
  void cover(const char* source) const {
    constexpr std::uint64_t attributes = quiet | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY;
    const long there = may(__NR_faccessat, here, address(step_.target), 0);
    if (skipped(there)) return;
    const long tree =
        may(__NR_open_tree, here, address(source), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree == error_no_system_call) return mount_the_old_way(source, attributes, 0);
    if (skipped(tree)) return;
    place(tree, attributes, 0);
  }

  void place(long tree, std::uint64_t attributes, long depth) const {
    mount_attr flags{};
    flags.attr_set = attributes;
    const long set = may(__NR_mount_setattr, tree, address(""), AT_EMPTY_PATH | depth,
                         address(&flags), sizeof(flags));
    if (set != error_no_system_call) succeed(set);
    const bool vanished = skipped(may(__NR_move_mount, tree, address(""), here,
                                      address(step_.target), MOVE_MOUNT_F_EMPTY_PATH));
    call(__NR_close, tree);
    if (set == error_no_system_call && !vanished) add_flags_the_old_way(attributes);
  }

  void make_place(bool directory) const {
    const long made = directory
                          ? may(__NR_mkdirat, here, address(step_.target), 0755)
                          : may(__NR_mknodat, here, address(step_.target), regular_file | 0444U, 0);
    if (made != error_exists) succeed(made);
  }

  /// Before Linux 5.2.
  void bind_the_old_way(std::uint64_t attributes, long depth) const {
    struct statx facts {};
    const long known = may(__NR_statx, here, address(step_.source), 0, STATX_TYPE, address(&facts));
    if (skipped(known)) return;
    make_place((facts.stx_mode & type_of_file) == directory_file);
    mount_the_old_way(step_.source, attributes, depth);
  }

  void mount_the_old_way(const char* source, std::uint64_t attributes, long depth) const {
    const unsigned long bound = MS_BIND | (depth != 0 ? MS_REC : 0UL);
    must(__NR_mount, address(source), address(step_.target), 0, static_cast<long>(bound), 0);
    add_flags_the_old_way(attributes);
  }

  /// Before Linux 5.12: a remount reaches the top mount alone. Writable mounts below it are found
  /// at the barrier, and the run is refused. It also sets all flags anew, so those that are there
  /// are named again: a user namespace may not take one from a mount of its parent.
  void add_flags_the_old_way(std::uint64_t attributes) const {
    struct statfs facts {};
    must(__NR_statfs, address(step_.target), address(&facts));
    const std::uint64_t kept = static_cast<std::uint64_t>(facts.f_flags) & all_attributes;
    const auto flags = static_cast<long>(MS_BIND | MS_REMOUNT | attributes | kept);
    must(__NR_mount, 0, address(step_.target), 0, flags, 0);
  }

  void mount_fresh(const char* type, unsigned long flags, const char* options) const {
    make_directory();
    must(__NR_mount, address(type), address(step_.target), address(type), static_cast<long>(flags),
         address(options));
  }

  const Attempt& attempt_;
  int index_;
  const PreparedStep& step_;
};

// The flags of mount(2), those of statfs(2) and the new attributes are the same bits, which
// add_flags_the_old_way() relies on.
static_assert(MOUNT_ATTR_RDONLY == MS_RDONLY && MOUNT_ATTR_NOSUID == MS_NOSUID &&
              MOUNT_ATTR_NODEV == MS_NODEV && MOUNT_ATTR_NOEXEC == MS_NOEXEC);

/// Root's own device nodes lie in it, so only others can have it without devices. Nobody can make
/// more of them: the script has no capability, and it is sealed.
unsigned long root_flags(const NativeSetup& setup) {
  return setup.own_user ? quiet_memory : MS_NOSUID;
}

void enter_building_site(const Attempt& attempt, const NativeSetup& setup) {
  attempt.must(SetupStep::new_root, 0, __NR_mount, address("tmpfs"), address(building_site),
               address("tmpfs"), static_cast<long>(root_flags(setup)), address(root_options));
  attempt.must(SetupStep::new_root, 1, __NR_chdir, address(building_site));
}

/// The new root goes below the old one and the old one away, by which nothing of the host is left
/// to climb to; the last entry of the old mount table that could be unmounted is our own root.
void move_in(const Attempt& attempt, const NativeSetup& setup) {
  const auto flags = static_cast<long>(MS_REMOUNT | MS_BIND | MS_RDONLY | root_flags(setup));
  attempt.must(SetupStep::seal_root, 0, __NR_mount, 0, address("."), 0, flags, 0);
  attempt.must(SetupStep::pivot_root, 0, __NR_pivot_root, address("."), address("."));
  attempt.must(SetupStep::detach_host, 0, __NR_umount2, address("."), lazily);
  attempt.must(SetupStep::detach_host, 1, __NR_chdir, address("/"));
}

}  // namespace

void build_file_view(const Attempt& attempt, const NativeSetup& setup) {
  const long flags = MS_REC | MS_PRIVATE;
  attempt.must(SetupStep::private_mounts, 0, __NR_mount, 0, address("/"), 0, flags, 0);
  if (setup.confined) {
    enter_building_site(attempt, setup);
  } else {
    attempt.must(SetupStep::new_root, 1, __NR_chdir, address("/"));
  }
  for (int i = 0; i < setup.step_count; ++i) FileView(attempt, i, setup.steps[i]).build();
  if (setup.confined) move_in(attempt, setup);
}

}  // namespace satellite::sandbox::bare
