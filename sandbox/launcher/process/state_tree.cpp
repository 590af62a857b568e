// Nothing is followed, opened or read that was not looked at by its name alone before: a link, a
// named pipe or a device is refused, not repaired. Every size counts twice: what a file claims,
// since it may be all hole, and what is read of it.
#include "sandbox/launcher/process/state_tree.hpp"

#include "protocol/vocabulary/directory.hpp"
#include "protocol/vocabulary/printable.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "protocol/vocabulary/write_whole.hpp"
#include "sandbox/state/packed_state.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace satellite::sandbox {
namespace {

constexpr std::size_t piece_size = 256U << 10U;
constexpr std::size_t shown_size_max = 128;
constexpr mode_t permissions_of_state = 0777;
constexpr mode_t directory_while_filled = 0700;

std::string shown_path(std::string_view path) {
  return "'" + printable(path, shown_size_max) + "'";
}

Error refused_entry(std::string_view path, const std::string& why) {
  return Error{ErrorCode::not_permitted, shown_path(path) + " " + why};
}

Error of_call(std::string_view path, const char* call) {
  return error_from_errno(std::string(call) + " " + shown_path(path), errno);
}

std::string_view name_in(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

/// Directories that are open, each in the one before it.
class OpenDirectories {
 public:
  explicit OpenDirectories(int top) : top_(top) {}

  /// The directory that `path` lies in, which is open or was opened last.
  int holder_of(std::string_view path) {
    const auto slash = path.rfind('/');
    const auto parent =
        slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
    while (!open_.empty() && open_.back().first != parent) open_.pop_back();
    return open_.empty() ? top_ : open_.back().second.get();
  }
  Result<int> enter(std::string_view path) {
    const std::string name(name_in(path));
    UniqueFd inside(
        ::openat(holder_of(path), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!inside) return of_call(path, "open");
    open_.emplace_back(path, std::move(inside));
    return open_.back().second.get();
  }

 private:
  int top_;
  std::vector<std::pair<std::string_view, UniqueFd>> open_;
};

Result<void> make_file(int holder, const StateEntry& entry) {
  const std::string name(name_in(entry.path));
  const UniqueFd file(
      ::openat(holder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return of_call(entry.path, "make");
  if (!write_whole(file.get(), entry.content)) return of_call(entry.path, "write");
  const timespec time{static_cast<time_t>(entry.modified_seconds),
                      static_cast<long>(entry.modified_nanoseconds)};
  const timespec both[2] = {time, time};
  if (::fchmod(file.get(), entry.mode) != 0) return of_call(entry.path, "chmod");
  if (::futimens(file.get(), both) != 0) return of_call(entry.path, "utimensat");
  return {};
}

Result<void> make_entry(OpenDirectories& directories, const StateEntry& entry) {
  const int holder = directories.holder_of(entry.path);
  if (entry.kind == StateEntry::Kind::file) return make_file(holder, entry);
  const std::string name(name_in(entry.path));
  if (::mkdirat(holder, name.c_str(), directory_while_filled) != 0) {
    return of_call(entry.path, "make");
  }
  const auto entered = directories.enter(entry.path);
  return entered ? Result<void>{} : Result<void>{entered.error()};
}

/// Inner ones first, while the way to them is open to us. A path has no component that leads
/// elsewhere: we made all of them.
Result<void> set_modes(int directory, const std::vector<StateEntry>& entries) {
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (entry->kind != StateEntry::Kind::directory) continue;
    if (::fchmodat(directory, std::string(entry->path).c_str(), entry->mode, 0) != 0) {
      return of_call(entry->path, "chmod");
    }
  }
  return {};
}

void take_back(int directory, const std::vector<StateEntry>& entries) {
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    const int flags = entry->kind == StateEntry::Kind::directory ? AT_REMOVEDIR : 0;
    ::unlinkat(directory, std::string(entry->path).c_str(), flags);
  }
}

const char* word_of_kind(mode_t mode) {
  if (S_ISLNK(mode)) return "is a symbolic link, which no state may hold";
  if (S_ISFIFO(mode)) return "is a named pipe, which no state may hold";
  if (S_ISSOCK(mode)) return "is a socket, which no state may hold";
  return "is a device, which no state may hold";
}

class Packer {
 public:
  Packer(int file, ByteCount size_max, dev_t device)
      : file_(file), size_max_(size_max), device_(device), buffer_(packed_state_head()) {}

  Result<void> pack(int directory, const std::string& prefix, std::size_t depth) {
    auto names = names_in(directory, prefix);
    if (!names) return names.error();
    for (const auto& name : *names) {
      const std::string path = prefix.empty() ? name : prefix + "/" + name;
      if (depth > state_depth_max) {
        return Error{ErrorCode::limit_exceeded, shown_path(path) + " lies deeper than " +
                                                    std::to_string(state_depth_max) +
                                                    " directories"};
      }
      if (auto packed = pack_entry(directory, name, path, depth); !packed) return packed;
    }
    return {};
  }

  Result<void> finish() {
    buffer_ += packed_state_end();
    if (auto flushed = flush(); !flushed) return flushed;
    // Of a longer one that was there before.
    if (::ftruncate(file_, offset_) != 0) return of_call("", "ftruncate");
    return {};
  }

 private:
  /// In the order of their bytes, which makes the whole ordered (is_before).
  Result<std::vector<std::string>> names_in(int directory, const std::string& prefix) {
    UniqueFd copy(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!copy) return of_call(prefix, "list");
    const Directory listing(::fdopendir(copy.get()));
    if (!listing) return of_call(prefix, "list");
    static_cast<void>(copy.release());
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(listing.get())) {
      std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (++entries_ > state_entries_max) {
        return Error{ErrorCode::limit_exceeded,
                     "more than " + std::to_string(state_entries_max) + " files and directories"};
      }
      names.push_back(std::move(name));
    }
    std::sort(names.begin(), names.end(), [](const std::string& one, const std::string& other) {
      return is_before(one, other);
    });
    return names;
  }

  Result<void> pack_entry(int directory, const std::string& name, const std::string& path,
                          std::size_t depth) {
    struct stat facts {};
    if (::fstatat(directory, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) {
      return of_call(path, "stat");
    }
    const bool is_directory = S_ISDIR(facts.st_mode);
    if (!is_directory && !S_ISREG(facts.st_mode))
      return refused_entry(path, word_of_kind(facts.st_mode));
    if ((facts.st_mode & 07000) != 0)
      return refused_entry(path, "has more than permissions in its mode");
    if (!is_directory && facts.st_nlink != 1) return refused_entry(path, "has a second name");
    if (facts.st_dev != device_)
      return refused_entry(path, "is not of this directory's file system");
    const int kind = is_directory ? O_DIRECTORY : 0;
    const UniqueFd entry(
        ::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | kind));
    if (!entry && errno == EACCES) return refused_entry(path, "may not be read by its owner");
    if (!entry) return of_call(path, "open");
    StateEntry packed;
    packed.kind = is_directory ? StateEntry::Kind::directory : StateEntry::Kind::file;
    packed.path = path;
    packed.mode = static_cast<std::uint16_t>(facts.st_mode & permissions_of_state);
    packed.modified_seconds = facts.st_mtim.tv_sec;
    packed.modified_nanoseconds = static_cast<std::uint32_t>(facts.st_mtim.tv_nsec);
    if (!is_directory) {
      return pack_content(entry.get(), packed, static_cast<std::uint64_t>(facts.st_size));
    }
    buffer_ += packed_entry_head(packed, 0);
    return pack(entry.get(), path, depth + 1);
  }

  Result<void> pack_content(int file, const StateEntry& entry, std::uint64_t size) {
    if (size > size_max_.value - size_.value) {
      return Error{ErrorCode::limit_exceeded, shown_path(entry.path) + " makes it more than " +
                                                  std::to_string(size_max_.value) + " bytes"};
    }
    size_ += ByteCount{size};
    buffer_ += packed_entry_head(entry, size);
    while (size > 0) {
      const std::size_t before = buffer_.size();
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size, piece_size));
      buffer_.resize(before + wanted);
      const ssize_t got = ::read(file, buffer_.data() + before, wanted);
      buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return of_call(entry.path, "read");
      size -= static_cast<std::uint64_t>(got);
      if (buffer_.size() < piece_size) continue;
      if (auto flushed = flush(); !flushed) return flushed;
    }
    return {};
  }

  Result<void> flush() {
    std::string_view rest = buffer_;
    while (!rest.empty()) {
      const ssize_t size = ::pwrite(file_, rest.data(), rest.size(), offset_);
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) return of_call("", "write");
      offset_ += size;
      rest.remove_prefix(static_cast<std::size_t>(size));
    }
    buffer_.clear();
    return {};
  }

  int file_;
  ByteCount size_max_, size_;
  dev_t device_;
  std::string buffer_;
  off_t offset_ = 0;
  std::size_t entries_ = 0;
};

}  // namespace

Result<void> unpack_state(int directory, std::string_view packed, ByteCount size_max) {
  const auto entries = read_packed_state(packed, size_max);
  if (!entries) return entries.error();
  OpenDirectories directories(directory);
  Result<void> done;
  for (auto entry = entries->begin(); done && entry != entries->end(); ++entry) {
    done = make_entry(directories, *entry);
  }
  if (done) done = set_modes(directory, *entries);
  if (!done) take_back(directory, *entries);
  return done;
}

Result<void> pack_state(int directory, int file, ByteCount size_max) {
  struct stat facts {};
  if (::fstat(directory, &facts) != 0) return error_from_errno("stat the state directory", errno);
  Packer packer(file, size_max, facts.st_dev);
  if (auto packed = packer.pack(directory, {}, 1); !packed) return packed;
  return packer.finish();
}

}  // namespace satellite::sandbox
