#include "sandbox/launcher/verify/census.hpp"

#include "protocol/vocabulary/directory.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/kernel/proc_facts.hpp"
#include "sandbox/launcher/verify/validate_posture.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <utility>

namespace satellite::sandbox {
namespace {

/// The names in a directory of /proc that are numbers.
Result<std::vector<int>> numbers_in(int process, const char* path) {
  UniqueFd fd(::openat(process, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return error_from_errno(path, errno);
  const Directory listing(::fdopendir(fd.get()));
  if (!listing) return error_from_errno(path, errno);
  static_cast<void>(fd.release());
  std::vector<int> numbers;
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string_view name(entry->d_name);
    int number = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
    if (parsed.ec == std::errc() && parsed.ptr == name.data() + name.size()) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

Result<FileIdentity> file_at(int process, const char* path) {
  struct stat facts {};
  if (::fstatat(process, path, &facts, 0) != 0) return error_from_errno(path, errno);
  return FileIdentity{facts.st_dev, facts.st_ino};
}

Result<void> count_descriptors(int process, Census& census) {
  const auto numbers = numbers_in(process, "fd");
  if (!numbers) return numbers.error();
  for (const int number : *numbers) {
    std::array<char, 256> target{};
    const std::string path = "fd/" + std::to_string(number);
    const ssize_t size = ::readlinkat(process, path.c_str(), target.data(), target.size());
    if (size < 0) return error_from_errno(path, errno);
    std::string kind(target.data(), static_cast<std::size_t>(size));
    // `pipe:[1234]` and `socket:[1234]`: which one it is does not matter.
    if (!kind.starts_with('/') && !kind.starts_with("anon_inode:")) kind.resize(kind.find(':'));
    census.descriptors.emplace(number, std::move(kind));
  }
  return {};
}

/// Each thread by itself: a filter, and privileges, belong to threads. The first one's are those
/// that the posture has.
Result<void> count_threads(int process, pid_t leader, Census& census) {
  const auto numbers = numbers_in(process, "task");
  if (!numbers) return numbers.error();
  for (const int thread : *numbers) {
    ++census.threads;
    if (thread == leader) continue;
    const std::string own = "task/" + std::to_string(thread);
    const auto text = kernel::read_small_file(process, own + "/status");
    // A thread that ended meanwhile has nothing any more.
    if (!text && ::faccessat(process, own.c_str(), F_OK, 0) != 0) continue;
    if (!text) return text.error();
    const auto status = kernel::parse_status(*text);
    if (!status) return status.error();
    const Posture& all = census.posture;
    if (status->seccomp_mode != all.seccomp_mode ||
        status->seccomp_filters != all.seccomp_filters ||
        status->no_new_privileges != all.no_new_privileges || status->uid != all.uid ||
        status->gid != all.gid || status->capabilities != all.capabilities ||
        status->groups.size() != all.supplementary_groups) {
      census.loose_threads.push_back(std::to_string(thread));
    }
  }
  return {};
}

Result<void> identify(int process, Census& census) {
  constexpr std::array<const char*, 7> paths{"ns/user", "ns/mnt", "ns/pid",   "ns/ipc",
                                             "ns/uts",  "ns/net", "ns/cgroup"};
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const auto identity = file_at(process, paths[i]);
    if (!identity) return identity.error();
    census.namespaces[i] = *identity;
  }
  const auto root = file_at(process, "root/.");
  if (!root) return root.error();
  census.root = *root;
  const auto program = file_at(process, "exe");
  if (!program) return program.error();
  census.program = *program;
  auto limits = kernel::read_small_file(process, "limits");
  if (!limits) return limits.error();
  census.limits = *std::move(limits);
  return {};
}

}  // namespace

Result<Census> take_census(const MeasureRequest& request, const OwnSurroundings& own) {
  const std::string path = "/proc/" + std::to_string(request.pid);
  const UniqueFd process(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!process) return error_from_errno("open " + path, errno);
  auto posture = measure(request, own);
  if (!posture) return posture.error();
  Census census;
  census.posture = *std::move(posture);
  // A runtime opens what it needs; which of them are open is compared by `descriptors`.
  census.posture.open_descriptors = census.posture.expected_descriptors = 0;
  auto done = identify(process.get(), census);
  if (done) done = count_descriptors(process.get(), census);
  if (done) done = count_threads(process.get(), request.pid, census);
  if (!done) return done.error();
  return census;
}

std::string fault_of(const Census& census, const Expectation& expectation) {
  const auto missing = missing_of(expectation, census.posture);
  if (!missing.empty()) return missing.front();
  if (!census.posture.no_new_privileges) return "privilege: no_new_privs is not set";
  if (!census.loose_threads.empty()) return "a thread has not what its process has";
  const bool has_socket = std::any_of(census.descriptors.begin(), census.descriptors.end(),
                                      [](const auto& one) { return one.second == "socket"; });
  return has_socket ? "it has a socket" : "";
}

std::string difference_of(const Census& first, const Census& now) {
  if (now.program != first.program) return "another program";
  if (now.namespaces != first.namespaces || now.root != first.root)
    return "another namespace or root";
  if (now.limits != first.limits) return "another limit";
  if (now.descriptors != first.descriptors) return "other descriptors";
  if (!now.loose_threads.empty()) return "a thread that has not what its process has";
  return now.posture == first.posture ? "" : "another posture";
}

}  // namespace satellite::sandbox
