// What a script leaves behind is hostile content: names, depth, modes and links were chosen by it.
// Removal therefore walks with descriptors and without recursion: a directory that is not empty is
// moved up to the top of the tree and put on a list, so depth costs neither stack nor descriptors.
// To the top and not out of it: a user who may not enter the tree must not reach parts of it.
#include "sandbox/kernel/tree_removal.hpp"

#include "protocol/vocabulary/unique_fd.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstdint>
#include <string_view>
#include <vector>

namespace satellite::sandbox::kernel {
namespace {

constexpr std::string_view moved_prefix = ".moved-";
constexpr int names_tried_max = 16;

/// Opens a directory for reading even if its owner took away our permission.
Directory open_directory(int parent, const char* name) {
  UniqueFd fd(::openat(parent, name, directory_flags));
  if (!fd && errno == EACCES && ::fchmodat(parent, name, S_IRWXU, AT_SYMLINK_NOFOLLOW) == 0) {
    fd.reset(::openat(parent, name, directory_flags));
  }
  if (!fd) return nullptr;
  // Without write permission nothing below could be removed; harmless if we are privileged.
  ::fchmod(fd.get(), S_IRWXU);
  Directory directory(::fdopendir(fd.get()));
  if (directory) static_cast<void>(fd.release());
  return directory;
}

class TreeRemoval {
 public:
  explicit TreeRemoval(DIR* top) : top_(top) {}

  void empty_out() {
    empty_out(top_);
    while (!pending_.empty()) {
      const std::string next = std::move(pending_.back());
      pending_.pop_back();
      if (const Directory directory = open_directory(::dirfd(top_), next.c_str())) {
        empty_out(directory.get());
      }
      ::unlinkat(::dirfd(top_), next.c_str(), AT_REMOVEDIR);
    }
  }

 private:
  void empty_out(DIR* directory) {
    while (const dirent* entry = ::readdir(directory)) {
      if (!is_dots(entry->d_name)) remove_entry(directory, entry->d_name);
    }
  }

  void remove_entry(DIR* directory, const char* name) {
    const int fd = ::dirfd(directory);
    if (::unlinkat(fd, name, 0) == 0 || errno == ENOENT) return;
    if (::unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOTDIR) return;
    if (directory == top_) return pending_.emplace_back(name), void();
    // Moving a directory rewrites its `..`, for which its owner needs write permission on it. Where
    // that cannot be given, the move fails, unless a privileged caller needs no permission.
    [[maybe_unused]] const int given = ::fchmodat(fd, name, S_IRWXU, AT_SYMLINK_NOFOLLOW);
    // A removal that was stopped may have left such names.
    for (int attempt = 0; attempt < names_tried_max; ++attempt) {
      const std::string moved = std::string(moved_prefix) + std::to_string(::getpid()) + "-" +
                                std::to_string(++moved_count_);
      if (::renameat(fd, name, ::dirfd(top_), moved.c_str()) == 0) {
        return pending_.push_back(moved);
      }
      if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) return;
    }
  }

  DIR* top_;
  std::uint64_t moved_count_ = 0;
  std::vector<std::string> pending_;
};

}  // namespace

Directory listing_of(int directory) {
  UniqueFd fd(::openat(directory, ".", directory_flags));
  Directory listing(fd ? ::fdopendir(fd.get()) : nullptr);
  if (listing) static_cast<void>(fd.release());
  return listing;
}

bool is_dots(const char* name) {
  const std::string_view text(name);
  return text == "." || text == "..";
}

void remove_tree(int parent, const std::string& name) {
  if (const Directory top = open_directory(parent, name.c_str()))
    TreeRemoval(top.get()).empty_out();
  ::unlinkat(parent, name.c_str(), AT_REMOVEDIR);
}

}  // namespace satellite::sandbox::kernel
