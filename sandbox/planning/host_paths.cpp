#include "sandbox/planning/host_paths.hpp"

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/kernel/proc_facts.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <cerrno>
#include <filesystem>
#include <map>
#include <memory>
#include <system_error>
#include <utility>

// The only file of the planner that asks the host, and it only reads.

namespace satellite::sandbox {
namespace {

// Lists of blocked hosts have a few hundred kilobytes; what is larger is no text that a run needs.
constexpr std::size_t public_text_size_max = 1U << 20U;
constexpr std::size_t mountinfo_size_max = 4U << 20U;

bool may_be_entered(const std::string& directory) {
  struct stat facts {};
  return ::stat(directory.c_str(), &facts) == 0 && (facts.st_mode & S_IXOTH) != 0;
}

/// What one plan has asked for already. A plan asks three times for the mounts, and for each disk
/// whether the directories on the way can be entered.
struct Remembered {
  std::optional<std::string> mountinfo;
  std::map<std::string, bool> may_be_entered;
};

bool is_reachable(const std::filesystem::path& path, Remembered& remembered) {
  for (auto directory = path.parent_path();; directory = directory.parent_path()) {
    const auto [known, is_new] = remembered.may_be_entered.try_emplace(directory.string());
    if (is_new) known->second = may_be_entered(known->first);
    if (!known->second) return false;
    if (directory == directory.root_path()) return true;
  }
}

bool is_directory(const std::string& path) {
  struct stat facts {};
  return ::lstat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
}

/// The group's bits tell at least what a list of accesses grants (acl(5)).
bool is_roots_alone(const std::string& path) {
  struct stat facts {};
  return ::lstat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode) && facts.st_uid == 0 &&
         (facts.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool is_public(const std::filesystem::path& path, Remembered& remembered) {
  struct stat facts {};
  if (!is_reachable(path, remembered)) return false;
  if (::stat(path.c_str(), &facts) != 0) return false;
  const mode_t needed = S_ISDIR(facts.st_mode) ? S_IROTH | S_IXOTH : S_IROTH;
  return (facts.st_mode & needed) == needed;
}

std::optional<std::string> public_text(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat facts {};
  if (!file || ::fstat(file.get(), &facts) != 0) return std::nullopt;
  if (!S_ISREG(facts.st_mode) || (facts.st_mode & S_IROTH) == 0) return std::nullopt;
  std::string text;
  char buffer[8'192];
  for (;;) {
    const ssize_t size = ::read(file.get(), buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return std::nullopt;
    if (size == 0) return text;
    text.append(buffer, static_cast<std::size_t>(size));
    if (text.size() > public_text_size_max) return std::nullopt;
  }
}

std::string host_name() {
  struct utsname names {};
  return ::uname(&names) == 0 ? names.nodename : std::string();
}

}  // namespace

HostPaths this_host_paths() {
  const auto remembered = std::make_shared<Remembered>();
  HostPaths host;
  host.exists = [](const std::string& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
  };
  host.real_path = [](const std::string& path) -> std::optional<std::string> {
    std::error_code error;
    const auto real = std::filesystem::canonical(path, error);
    if (error) return std::nullopt;
    return real.string();
  };
  host.is_public = [remembered](const std::string& path) {
    return path.starts_with('/') && is_public(path, *remembered);
  };
  host.is_reachable = [remembered](const std::string& path) {
    return path.starts_with('/') && is_reachable(path, *remembered);
  };
  host.is_directory = is_directory;
  host.is_roots_alone = is_roots_alone;
  host.public_text = public_text;
  host.is_socket = [](const std::string& path) {
    std::error_code ignored;
    return std::filesystem::is_socket(path, ignored);
  };
  host.mountinfo = [remembered] {
    if (!remembered->mountinfo) {
      auto text = kernel::read_small_file(AT_FDCWD, "/proc/self/mountinfo", mountinfo_size_max);
      remembered->mountinfo = text ? *std::move(text) : std::string();
    }
    return *remembered->mountinfo;
  };
  host.host_name = host_name();
  return host;
}

}  // namespace satellite::sandbox
