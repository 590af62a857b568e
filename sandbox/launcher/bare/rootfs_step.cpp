// Runs between clone and the start of init: raw system calls over prepared values, no libc.
#include "sandbox/launcher/bare/rootfs_step.hpp"

#include "sandbox/launcher/bare/carrier.hpp"
#include "sandbox/launcher/bare/hardening.hpp"
#include "sandbox/launcher/bare/open_path.hpp"

#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/mount.h>
#include <linux/stat.h>

namespace satellite::sandbox::bare {
namespace {

// linux/stat.h hides these from a program that has seen a header of glibc.
constexpr std::uint32_t file_type_mask = 0170000, type_regular = 0100000, type_directory = 0040000,
                        type_character_device = 0020000;  // S_IFMT, S_IFREG, S_IFDIR, S_IFCHR
constexpr std::uint32_t readable_by_others = 0004;        // S_IROTH
constexpr std::uint64_t copied_size_max = 16U << 10U;

// The flags of mount(2), those that statfs(2) returns and the attributes of mount_setattr(2) are
// the same bits; one set of constants serves all three.
static_assert(MOUNT_ATTR_RDONLY == MS_RDONLY && MOUNT_ATTR_NOSUID == MS_NOSUID &&
              MOUNT_ATTR_NODEV == MS_NODEV && MOUNT_ATTR_NOEXEC == MS_NOEXEC);
constexpr std::uint64_t nosuid_nodev = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
constexpr std::uint64_t nosuid_noexec = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;

class RootfsStep {
 public:
  RootfsStep(const Attempt& attempt, const NativeSetup& setup, int index)
      : attempt_(attempt), setup_(setup), index_(index), step_(setup.steps[index]) {}

  void build() const {
    if (step_.is_done != 0) return attempt_.check_fault(SetupStep::file_step, index_);
    switch (step_.kind) {
      case FileStepKind::directory:
        return make_directory();
      case FileStepKind::link:
        return make_link(source_text());
      case FileStepKind::text:
        return write_new(source_text());
      case FileStepKind::append:
        return write_text(target_text(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, source_text());
      case FileStepKind::copy:
        return copy_or_skip();
      case FileStepKind::mirror:
        return mirror();
      case FileStepKind::bind:
        return bind(nosuid_nodev | read_only(), AT_RECURSIVE);
      case FileStepKind::device:
        return bind(nosuid_noexec, 0);
      case FileStepKind::node:
        return make_node();
      case FileStepKind::memory:
        return mount_fresh("tmpfs", nosuid_nodev, source_text());
      case FileStepKind::processes:
        return mount_fresh("proc", nosuid_nodev | MS_NOEXEC, nullptr);
      case FileStepKind::terminals:
        return mount_fresh("devpts", MS_NOSUID | MS_NOEXEC,
                           "newinstance,ptmxmode=0666,mode=620,max=64");
      case FileStepKind::read_only:
        return cover_with_itself();
      case FileStepKind::mask:
        return mask();
      case FileStepKind::setting:
        return write_setting();
      case FileStepKind::place:
        return write_new("");
      case FileStepKind::own_text:
        return mount_text();
      case FileStepKind::shown:
        return show(nosuid_nodev | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY);
      case FileStepKind::shown_programs:
        return show(nosuid_nodev | MOUNT_ATTR_RDONLY);
      case FileStepKind::disk:
        attempt_.check_fault(SetupStep::file_step, index_);
        return show_disk({source_text(), step_.number, target_text(), !setup_.own_user,
                          step_.mode != 0, setup_.makes_carriers});
      case FileStepKind::host_processes:
        return show_host_processes();
      case FileStepKind::seal:
        return remount(target_text(), nosuid_nodev | MOUNT_ATTR_RDONLY);
    }
    attempt_.give_up(SetupStep::file_step, index_, -EINVAL);
  }

 private:
  long target() const { return static_cast<long>(step_.target); }
  long source() const { return static_cast<long>(step_.source); }
  const char* target_text() const { return reinterpret_cast<const char*>(step_.target); }
  const char* source_text() const { return reinterpret_cast<const char*>(step_.source); }
  long may(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) const {
    return attempt_.may(SetupStep::file_step, index_, number, a, b, c, d, e);
  }
  long must(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) const {
    return attempt_.must(SetupStep::file_step, index_, number, a, b, c, d, e);
  }
  void succeed(long result) const {
    if (result < 0) attempt_.give_up(SetupStep::file_step, index_, result);
  }
  /// Whether the step ends here because it is optional and its source does not exist. Any other
  /// error ends the process.
  bool skipped(long result) const {
    if (result == -ENOENT && step_.optional != 0) return true;
    succeed(result);
    return false;
  }
  std::uint64_t read_only() const { return step_.writable != 0 ? 0 : MOUNT_ATTR_RDONLY; }

  void make_directory() const {
    const long made = may(__NR_mkdirat, AT_FDCWD, target(), step_.mode | 0100U);
    if (made != -EEXIST) succeed(made);
  }
  void make_link(const char* to) const { must(__NR_symlinkat, address(to), AT_FDCWD, target()); }

  /// A container may forbid mknod(2); then the host's node is bound instead.
  void make_node() const {
    const long made = may(__NR_mknodat, AT_FDCWD, target(), type_character_device | step_.mode,
                          static_cast<long>(step_.number));
    if (made == -EPERM) return bind(nosuid_noexec, 0);
    succeed(made);
  }

  /// A full file system writes what fits and reports ENOSPC only on the next call.
  void write_all(long fd, const char* bytes, long size) const {
    while (size > 0) {
      const long written = must(__NR_write, fd, address(bytes), size);
      if (written == 0) attempt_.give_up(SetupStep::file_step, index_, -EIO);
      bytes += written;
      size -= written;
    }
  }

  void write_new(const char* text) const {
    write_text(target_text(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, text);
  }

  void write_text(const char* path, long flags, const char* text) const {
    const long fd = must(__NR_openat, AT_FDCWD, address(path), flags, step_.mode);
    long size = 0;
    while (text[size] != '\0') ++size;
    write_all(fd, text, size);
    call(__NR_close, fd);
  }

  void write_setting() const {
    attempt_.check_fault(SetupStep::file_step, index_);
    if (setup_.shows_processes) return write_setting_outside();
    const long written = write_file(target_text(), source_text());
    if (written == -EACCES && setup_.own_user) return write_setting_outside();
    static_cast<void>(skipped(written));
  }

  /// By the host's /proc, which leads to the settings of the caller's namespaces, too. Old kernels
  /// (5.10 was seen) let nobody write those of a network by a /proc that is mounted in a user
  /// namespace without a root: its files belong to an invalid user. In a container the host's may
  /// be read-only; then what is optional keeps its default.
  void write_setting_outside() const {
    // The name of a file below /proc, without the slash that its mount point begins with.
    constexpr long size_of_proc = 5;
    const long fd = may(__NR_openat, init_fd_proc, target() + size_of_proc, O_WRONLY | O_CLOEXEC);
    const bool is_refused = !setup_.shows_processes && (fd == -EACCES || fd == -EROFS);
    if (is_refused && step_.optional != 0) return;
    if (skipped(fd)) return;
    long size = 0;
    while (source_text()[size] != '\0') ++size;
    write_all(fd, source_text(), size);
    call(__NR_close, fd);
  }

  struct statx facts_of(long fd) const {
    struct statx facts {};
    must(__NR_statx, fd, address(""), AT_EMPTY_PATH, STATX_TYPE | STATX_MODE | STATX_SIZE,
         address(&facts));
    return facts;
  }

  /// Copies a file that every user of the host may read; the caller has checked the mode.
  void copy(long file) const {
    char buffer[4096];
    const long made =
        must(__NR_openat, AT_FDCWD, target(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    for (;;) {
      const long size = must(__NR_read, file, address(buffer), sizeof(buffer));
      if (size == 0) break;
      write_all(made, buffer, size);
    }
    call(__NR_close, made);
    call(__NR_close, file);
  }

  void copy_or_skip() const {
    const long file = may(__NR_openat, AT_FDCWD, source(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file == -EACCES || skipped(file)) return;
    const auto facts = facts_of(file);
    const bool plain = (facts.stx_mode & file_type_mask) == type_regular;
    if (!plain || (facts.stx_mode & readable_by_others) == 0) {
      call(__NR_close, file);
      return;
    }
    copy(file);
  }

  /// Whether the link still leads somewhere: in a root that shows all of /usr and little of /etc.
  bool is_kept(const char* link) const {
    int depth = 0;
    for (const char* at = target_text(); *at != '\0'; ++at) depth += *at == '/' ? 1 : 0;
    if (depth == 0) return true;  // /bin and its like
    int up = 0;
    for (; link[0] == '.' && link[1] == '.' && link[2] == '/'; link += 3) ++up;
    const bool is_absolute = up == 0 && link[0] == '/';
    if (is_absolute) ++link;
    const bool is_from_root = is_absolute || (up == depth);
    return is_from_root && link[0] == 'u' && link[1] == 's' && link[2] == 'r' && link[3] == '/';
  }

  void mirror() const {
    char link[PATH_MAX];
    const long length = may(__NR_readlinkat, AT_FDCWD, source(), address(link), sizeof(link));
    if (length >= 0) {
      // readlink(2) truncates without an error; a full buffer may be such a case.
      if (length == PATH_MAX) succeed(-ENAMETOOLONG);
      link[length] = '\0';
      if (is_kept(link)) return make_link(link);
      return show_content(true);
    }
    if (length != -EINVAL && skipped(length)) return;
    show_content(false);
  }

  /// What is at the end of a link is shown if every user may read it, wherever it lies: a link of
  /// /etc tells where its host keeps it (certificates in /var/lib, say).
  void show_content(bool behind_link) const {
    struct statx facts {};
    const long known = may(__NR_statx, AT_FDCWD, source(), 0, STATX_TYPE | STATX_MODE | STATX_SIZE,
                           address(&facts));
    const bool leads_nowhere = known == -EACCES || known == -ELOOP || known == -ENOTDIR;
    if ((behind_link && leads_nowhere) || skipped(known)) return;
    const std::uint32_t type = facts.stx_mode & file_type_mask;
    const bool is_public = (type == type_directory || type == type_regular) &&
                           (facts.stx_mode & readable_by_others) != 0;
    if (behind_link && !is_public) return;
    const bool directory = type == type_directory;
    if (!directory && facts.stx_size <= copied_size_max) return copy_or_skip();
    bind(nosuid_nodev | MOUNT_ATTR_RDONLY, AT_RECURSIVE);
  }

  /// Clones the source as a detached mount, sets its flags, and attaches it last. No clone is made
  /// that is not attached: closing a detached mount waits for an RCU grace period of the host.
  void bind(std::uint64_t attributes, long depth) const {
    if (step_.tree_fd >= 0) return attach();
    const long tree =
        may(__NR_open_tree, AT_FDCWD, source(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | depth);
    if (tree == -ENOSYS) return bind_before_5_2(attributes, depth);
    if (skipped(tree)) return;
    make_place((facts_of(tree).stx_mode & file_type_mask) == type_directory);
    place(tree, attributes, depth);
  }

  /// What the operator shows of the host. Its path was looked up before, without links: who can put
  /// one there since then must not choose what is shown.
  void show(std::uint64_t attributes) const {
    attempt_.check_fault(SetupStep::file_step, index_);
    const long found = open_without_links(source_text());
    if (found == -ELOOP || found == -EACCES || skipped(found)) return;
    constexpr long depth = AT_RECURSIVE;
    const long tree = must(__NR_open_tree, found, address(""),
                           OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | depth);
    call(__NR_close, found);
    make_place((facts_of(tree).stx_mode & file_type_mask) == type_directory);
    place(tree, attributes, depth);
  }

  void show_host_processes() const {
    make_place(true);
    place(setup_.host_proc_fd, nosuid_nodev | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY,
          setup_.own_user ? AT_RECURSIVE : 0);
  }

  void remount(const char* target, std::uint64_t attributes) const {
    const auto flags = static_cast<long>(MS_BIND | MS_REMOUNT | attributes);
    must(__NR_mount, 0, address(target), 0, flags, 0);
  }

  /// What is at the target, read-only.
  void cover_with_itself() const {
    constexpr std::uint64_t attributes = nosuid_nodev | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY;
    if (skipped(may(__NR_mount, target(), target(), 0, MS_BIND, 0))) return;
    remount(target_text(), attributes);
  }

  /// The source is a mount that steps before made read-only; a copy of it has its flags.
  void mask() const {
    const long masked = may(__NR_mount, source(), target(), 0, MS_BIND, 0);
    if (masked != -ENOENT) return succeed(masked);
    // Optional is what is masked, not what it is masked with.
    if (call(__NR_faccessat, AT_FDCWD, target(), 0) != -ENOENT) succeed(masked);
    static_cast<void>(skipped(masked));
  }

  /// The root takes no files any more: the text lies in the run's own memory, without a name.
  void mount_text() const {
    constexpr const char* written = "tmp/.own";
    write_text(written, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, source_text());
    must(__NR_mount, address(written), target(), 0, MS_BIND, 0);
    remount(target_text(), nosuid_nodev | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY);
    must(__NR_unlinkat, AT_FDCWD, address(written), 0);
  }

  void attach() const {
    make_place((facts_of(step_.tree_fd).stx_mode & file_type_mask) == type_directory);
    must(__NR_move_mount, step_.tree_fd, address(""), AT_FDCWD, target(), MOVE_MOUNT_F_EMPTY_PATH);
    call(__NR_close, step_.tree_fd);
  }

  void place(long tree, std::uint64_t attributes, long depth) const {
    mount_attr flags{};
    flags.attr_set = attributes;
    const long set = may(__NR_mount_setattr, tree, address(""), AT_EMPTY_PATH | depth,
                         address(&flags), sizeof(flags));
    if (set != -ENOSYS) succeed(set);
    const bool vanished = skipped(
        may(__NR_move_mount, tree, address(""), AT_FDCWD, target(), MOVE_MOUNT_F_EMPTY_PATH));
    call(__NR_close, tree);
    if (set == -ENOSYS && !vanished) add_flags_before_5_12(attributes);
  }

  void make_place(bool directory) const {
    const long made = directory ? may(__NR_mkdirat, AT_FDCWD, target(), 0755)
                                : may(__NR_mknodat, AT_FDCWD, target(), type_regular | 0444U, 0);
    if (made != -EEXIST) succeed(made);
  }

  /// open_tree(2) exists since Linux 5.2.
  void bind_before_5_2(std::uint64_t attributes, long depth) const {
    struct statx facts {};
    const long known = may(__NR_statx, AT_FDCWD, source(), 0, STATX_TYPE, address(&facts));
    if (skipped(known)) return;
    make_place((facts.stx_mode & file_type_mask) == type_directory);
    mount_before_5_2(source_text(), attributes, depth);
  }

  void mount_before_5_2(const char* source, std::uint64_t attributes, long depth) const {
    const unsigned long bound = MS_BIND | (depth != 0 ? MS_REC : 0UL);
    must(__NR_mount, address(source), target(), 0, static_cast<long>(bound), 0);
    add_flags_before_5_12(attributes);
  }

  /// mount_setattr(2) exists since Linux 5.12. A remount changes the top mount alone; writable
  /// mounts below it are found at the barrier, which refuses the run.
  void add_flags_before_5_12(std::uint64_t attributes) const {
    attempt_.check_fault(SetupStep::file_step, index_);
    succeed(add_mount_flags(target_text(), attributes));
  }

  void mount_fresh(const char* type, unsigned long flags, const char* options) const {
    const auto mount = [&] {
      return may(__NR_mount, address(type), target(), address(type), static_cast<long>(flags),
                 address(options));
    };
    long mounted = mount();
    if (mounted == -ENOENT) {
      make_directory();
      mounted = mount();
    }
    succeed(mounted);
  }

  const Attempt& attempt_;
  const NativeSetup& setup_;
  int index_;
  const PreparedStep& step_;
};

}  // namespace

void build_rootfs_step(const Attempt& attempt, const NativeSetup& setup, int index) {
  RootfsStep(attempt, setup, index).build();
}

}  // namespace satellite::sandbox::bare
