#include "agent/packages/store/store_directory.hpp"

#include "agent/runtime/random_id.hpp"
#include "tls/digest.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

namespace satellite::agent {
namespace {

constexpr std::string_view partial_prefix = ".partial-";
constexpr mode_t shown_mode =
    0755;  // binds of it are made by the launcher, for scripts of any user
constexpr std::array folders{"store", "index", "manifests", "trees"};
constexpr ByteCount state_size_max{4U << 10U};

std::string boot_id() {
  const auto id = read_store_file("/proc/sys/kernel/random/boot_id", state_size_max);
  return id ? id->substr(0, id->find('\n')) : "unknown";
}

std::string state_text(std::string_view how) {
  return "boot " + boot_id() + "\n" + std::string(how) + "\n";
}

}  // namespace

Result<std::string> read_store_file(const std::string& path, ByteCount size_max) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return error_from_errno("open " + path, errno);
  std::string text;
  std::array<char, 64U << 10U> piece;
  while (true) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_from_errno("read " + path, errno);
    if (got == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
    if (text.size() > size_max.value)
      return Error{ErrorCode::limit_exceeded, path + " is too long"};
  }
}

Result<void> write_store_file(const std::string& path, std::string_view text) {
  const std::string made = path + ".new";
  UniqueFd file(::open(made.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) return disk_error("make", made, errno);
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return disk_error("write", made, errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  // Some file systems tell only now that there is no room.
  if (::fsync(file.get()) != 0) return disk_error("write", made, errno);
  if (::rename(made.c_str(), path.c_str()) != 0) return disk_error("rename", made, errno);
  return {};
}

bool has_digest(const std::string& path, const std::string& expected) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return false;
  tls::Sha256 digest;
  std::array<char, 64U << 10U> piece;
  while (true) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) return digest.finish() == expected;
    digest.update({piece.data(), static_cast<std::size_t>(got)});
  }
}

Error disk_error(const std::string& what, const std::string& path, int error_number) {
  if (error_number == ENOSPC || error_number == EDQUOT) {
    return {ErrorCode::limit_exceeded, "No room for script packages on the file system of " + path +
                                           "; free some, or have the state directory elsewhere"};
  }
  return error_from_errno(what + " " + path, error_number);
}

Result<StoreDirectory> StoreDirectory::open(const std::string& path) {
  StoreDirectory directory(path);
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  if (failure) return disk_error("make", path, failure.value());
  if (const auto owned = directory.check_owner(); !owned) return owned.error();
  if (const auto locked = directory.take_lock(); !locked) return locked.error();
  ::chmod(path.c_str(), shown_mode);
  for (const char* const folder : folders) {
    const std::string made = path + "/" + folder;
    if (::mkdir(made.c_str(), shown_mode) != 0 && errno != EEXIST) {
      return disk_error("make", made, errno);
    }
    ::chmod(made.c_str(), shown_mode);
  }
  const std::string state = path + "/state";
  const auto left = read_store_file(state, state_size_max);
  directory.is_content_certain_ =
      left && (*left == state_text("open") || left->ends_with("\nclosed\n"));
  directory.remove_partial();
  if (const auto noted = write_store_file(state, state_text("open")); !noted) return noted.error();
  return directory;
}

Result<StoreDirectory> StoreDirectory::look_at(const std::string& path) {
  if (::access((path + "/trees").c_str(), R_OK | X_OK) != 0) {
    return error_from_errno("look into " + path, errno);
  }
  return StoreDirectory(path);
}

Result<void> StoreDirectory::check_owner() const {
  struct stat facts {};
  if (::lstat(path_.c_str(), &facts) != 0) return error_from_errno("look at " + path_, errno);
  const bool is_ours = S_ISDIR(facts.st_mode) && facts.st_uid == ::geteuid() &&
                       (facts.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  if (is_ours) return {};
  return Error{ErrorCode::not_permitted,
               path_ +
                   " is no directory of this user alone; give it to the satellite's user with "
                   "mode 0755, or remove it"};
}

Result<void> StoreDirectory::take_lock() {
  const std::string file = path_ + "/lock";
  lock_.reset(::open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!lock_) return disk_error("open", file, errno);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return {};
  if (errno != EWOULDBLOCK) return error_from_errno("lock " + file, errno);
  return Error{ErrorCode::unavailable, "another satellite has its script packages in " + path_ +
                                           "; give each its own state directory"};
}

std::string StoreDirectory::entry(std::string_view blob_sha256) const {
  return path_ + "/store/" + std::string(blob_sha256);
}
std::string StoreDirectory::index(std::string_view integrity) const {
  return path_ + "/index/" + tls::sha256_of(integrity);
}
std::string StoreDirectory::manifest(std::string_view lockfile_hash) const {
  return path_ + "/manifests/" + std::string(lockfile_hash);
}
std::string StoreDirectory::tree(std::string_view lockfile_hash) const {
  return path_ + "/trees/" + std::string(lockfile_hash);
}

std::vector<std::string> StoreDirectory::names_in(const char* folder) const {
  std::vector<std::string> names;
  std::error_code ignored;
  for (std::filesystem::directory_iterator at(path_ + "/" + folder, ignored), end; at != end;
       at.increment(ignored)) {
    std::string name = at->path().filename().string();
    if (!name.starts_with(partial_prefix)) names.push_back(std::move(name));
  }
  return names;
}

std::string StoreDirectory::partial(const char* folder) const {
  return path_ + "/" + folder + "/" + std::string(partial_prefix) + random_id();
}

void StoreDirectory::remove(const std::string& path) const {
  const std::string aside = partial("trees");
  const bool is_aside = ::rename(path.c_str(), aside.c_str()) == 0;
  std::error_code ignored;
  std::filesystem::remove_all(is_aside ? aside : path, ignored);
}

void StoreDirectory::remove_partial() const {
  std::error_code ignored;
  std::vector<std::filesystem::path> left;
  for (const char* const folder : folders) {
    for (std::filesystem::directory_iterator at(path_ + "/" + folder, ignored), end; at != end;
         at.increment(ignored)) {
      const std::string name = at->path().filename().string();
      if (name.starts_with(partial_prefix) || name.ends_with(".new")) left.push_back(at->path());
    }
  }
  for (const auto& path : left) std::filesystem::remove_all(path, ignored);
}

void StoreDirectory::close() const {
  static_cast<void>(write_store_file(path_ + "/state", state_text("closed")));
}

std::optional<ByteCount> StoreDirectory::free_room() const {
  struct statvfs facts {};
  if (::statvfs(path_.c_str(), &facts) != 0) return std::nullopt;
  return ByteCount{static_cast<std::uint64_t>(facts.f_bavail) * facts.f_frsize};
}

}  // namespace satellite::agent
