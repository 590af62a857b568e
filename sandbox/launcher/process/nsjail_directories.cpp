#include "sandbox/launcher/process/nsjail_directories.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

namespace satellite::sandbox {
namespace {

// nsjail makes its own with 0755. The sticky bit says that one of us made it and may remove it.
constexpr mode_t mode_of_ours = 01755;
// Another launcher that removes a directory holds its lock for two calls, unless it has to wait for
// a processor in between: then this one waits, too, at most so many milliseconds.
constexpr int attempts_max = 64, waits_max = 20;

Error foreign(const std::string& path) {
  return Error{ErrorCode::not_permitted,
               path +
                   " belongs to somebody else, and nsjail would build the run's root there: "
                   "remove it"};
}

bool is_same(const std::string& path, const struct stat& known) {
  struct stat now {};
  return ::lstat(path.c_str(), &now) == 0 && now.st_dev == known.st_dev &&
         now.st_ino == known.st_ino;
}

bool is_directory(const std::string& path) {
  struct stat facts {};
  return ::lstat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
}

/// An open, locked directory; an invalid descriptor where none can be made.
Result<UniqueFd> hold_directory(const std::string& path, uid_t user) {
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    const bool made = ::mkdir(path.c_str(), 0755) == 0;
    if (!made && errno != EEXIST) return UniqueFd();
    UniqueFd lock(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!lock && errno == ENOENT) continue;  // another run's end removed it
    struct stat facts {};
    if (!lock || ::fstat(lock.get(), &facts) != 0) return foreign(path);
    if (facts.st_uid != user && facts.st_uid != 0 && facts.st_uid != ::geteuid()) {
      return foreign(path);
    }
    if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0) return foreign(path);
    if (made && ::fchmod(lock.get(), mode_of_ours) != 0) return foreign(path);
    const bool locked = ::flock(lock.get(), LOCK_SH | LOCK_NB) == 0;
    // Who only looks at the directory can hold a lock for ever; that must not end runs.
    if (!locked && attempt + 1 < attempts_max) {
      if (attempt + 1 + waits_max < attempts_max) {
        ::sched_yield();
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      continue;
    }
    if (is_same(path, facts)) return lock;
  }
  return UniqueFd();
}

void remove_if_last(const std::string& path, const UniqueFd& lock) {
  struct stat facts {};
  if (!lock || ::fstat(lock.get(), &facts) != 0 || (facts.st_mode & S_ISVTX) == 0) return;
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return;
  if (is_same(path, facts)) ::rmdir(path.c_str());
}

}  // namespace

Result<std::vector<NsjailDirectories::Held>> NsjailDirectories::hold(
    const std::vector<std::string>& paths, uid_t user) {
  std::vector<Held> held;
  for (const auto& path : paths) {
    auto lock = hold_directory(path, user);
    if (!lock || !*lock) {
      for (const auto& one : held) remove_if_last(one.path, one.lock);
      if (!lock) return lock.error();
      return std::vector<Held>{};
    }
    held.push_back({path, *std::move(lock)});
  }
  return held;
}

Result<NsjailDirectories> NsjailDirectories::take(uid_t named, uid_t user) {
  NsjailDirectories taken;
  const std::string number = std::to_string(named);
  const std::string session = "/run/user/" + number;
  std::vector<std::vector<std::string>> places;
  if (is_directory(session)) {
    // That user may put links there, which a root launcher must not follow: nsjail itself then
    // makes them in the user's own directory, which goes with the session.
    if (::geteuid() != user) return taken;
    places.push_back({session + "/nsjail", session + "/nsjail/root", session + "/nsjail/tmp"});
  }
  for (const char* parent : {"/run/user", "/tmp"}) {
    const std::string start = std::string(parent) + "/nsjail." + number;
    places.push_back({start + ".root", start + ".tmp"});
  }
  for (const auto& paths : places) {
    auto held = hold(paths, user);
    if (!held) return held.error();
    taken.held_ = *std::move(held);
    if (!taken.held_.empty()) return taken;
  }
  return taken;
}

NsjailDirectories::~NsjailDirectories() {
  for (auto one = held_.rbegin(); one != held_.rend(); ++one) remove_if_last(one->path, one->lock);
}

}  // namespace satellite::sandbox
