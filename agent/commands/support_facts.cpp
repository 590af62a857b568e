#include "agent/commands/support_facts.hpp"

#include "agent/runtime/program_output.hpp"
#include "protocol/timestamp.hpp"
#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/directory.hpp"
#include "protocol/vocabulary/printable.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace satellite::agent {
namespace {

using namespace satellite::byte_literals;

constexpr ByteCount fact_size_max = 4_KiB;
constexpr ByteCount log_size_max = 1_MiB;
// Of 2,000 lines, of which the last are wanted.
constexpr ByteCount journal_size_max = 16_MiB;
constexpr ByteCount units_size_max = 16_KiB;
constexpr std::size_t names_max = 200;
constexpr std::chrono::seconds program_time_max{20};

/// Whole: without what is secret by its place, such as the parameters of the boot.
constexpr std::array fact_files{"/etc/os-release",
                                "/proc/version",
                                "/proc/sys/user/max_user_namespaces",
                                "/proc/sys/kernel/unprivileged_userns_clone",
                                "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
                                "/proc/sys/net/ipv4/ping_group_range",
                                "/sys/kernel/security/lsm",
                                "/sys/fs/cgroup/cgroup.controllers",
                                "/proc/self/cgroup",
                                "/proc/self/uid_map",
                                "/proc/self/limits",
                                "/proc/self/status",
                                "/proc/loadavg",
                                "/proc/uptime",
                                "/proc/meminfo",
                                "/proc/pressure/memory",
                                "/proc/pressure/io"};

Result<std::string> read_piece(int fd, ByteCount size_max, const std::string& name) {
  std::string text(size_max.value, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_from_errno(name, errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

/// What is no file is not waited for.
Result<UniqueFd> open_file(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) return error_from_errno(path, errno);
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return error_from_errno(path, errno);
  if (!S_ISREG(facts.st_mode)) return Error{ErrorCode::invalid_input, path + " is no file"};
  return file;
}

std::string beginning_of(const std::string& path) {
  const auto file = open_file(path);
  if (!file) return "(" + file.error().message + ")\n";
  const auto text = read_piece(file->get(), fact_size_max, path);
  if (!text) return "(" + text.error().message + ")\n";
  return *text + (text->size() == fact_size_max.value ? "\n(and more)\n" : "");
}

/// A line that was cut may have lost the name of the secret that it has.
void cut_first_line(std::string& text) {
  text.erase(0, text.find('\n') == std::string::npos ? text.size() : text.find('\n') + 1);
}

Result<std::string> end_of(const std::string& path) {
  const auto file = open_file(path);
  if (!file) return file.error();
  const off_t size = ::lseek(file->get(), 0, SEEK_END);
  const off_t begin = std::max<off_t>(0, size - static_cast<off_t>(log_size_max.value));
  if (size < 0 || ::lseek(file->get(), begin, SEEK_SET) < 0) return error_from_errno(path, errno);
  auto text = read_piece(file->get(), log_size_max, path);
  if (text && begin > 0) cut_first_line(*text);
  return text;
}

ProgramQuestion question(std::vector<std::string> words, ByteCount output_max) {
  const char* const path = std::getenv("PATH");
  return {std::move(words),
          {std::string("PATH=") + (path == nullptr ? "/usr/bin:/bin" : path), "LC_ALL=C"},
          std::chrono::steady_clock::now() + program_time_max,
          output_max};
}

const char* kind_of(mode_t mode) {
  return S_ISDIR(mode)    ? "directory"
         : S_ISREG(mode)  ? "file"
         : S_ISLNK(mode)  ? "link"
         : S_ISSOCK(mode) ? "socket"
                          : "other";
}

std::string line_about(int directory, const std::string& name) {
  struct stat facts {};
  if (::fstatat(directory, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) return {};
  std::array<char, 96> numbers{};
  std::snprintf(numbers.data(), numbers.size(), "%-9s %04o %u:%u %12lld ", kind_of(facts.st_mode),
                facts.st_mode & 07777U, facts.st_uid, facts.st_gid,
                static_cast<long long>(facts.st_size));
  const auto changed = std::chrono::system_clock::from_time_t(facts.st_mtime);
  return numbers.data() + protocol::format_timestamp(changed) + "  " + printable(name) + '\n';
}

std::string room_in(int directory) {
  struct statvfs facts {};
  if (::fstatvfs(directory, &facts) != 0) return {};
  return "free: " + std::to_string(facts.f_bavail * facts.f_frsize) + " of " +
         std::to_string(facts.f_blocks * facts.f_frsize) + " bytes, " +
         std::to_string(facts.f_favail) + " of " + std::to_string(facts.f_files) + " files" +
         ((facts.f_flag & ST_RDONLY) != 0 ? ", read-only\n" : "\n");
}

}  // namespace

std::string host_facts_text() {
  std::string text;
  utsname kernel{};
  if (::uname(&kernel) == 0) {
    text += std::string(kernel.sysname) + ' ' + kernel.release + ' ' + kernel.version + ' ' +
            kernel.machine + '\n';
  }
  text += "processors: " + std::to_string(::sysconf(_SC_NPROCESSORS_ONLN)) + '\n';
  for (const char* const path : fact_files) {
    text += std::string("\n== ") + path + '\n' + beginning_of(path);
  }
  return text;
}

Result<std::string> units_text() {
  // Not the units themselves: somebody may have put a secret into Environment=.
  const auto answer = ask_program(
      question({"systemctl", "show", "--no-pager",
                "--property=Id,LoadState,ActiveState,SubState,Result,UnitFileState,FragmentPath,"
                "DropInPaths,User,NRestarts,ExecMainStatus,ExecMainPID,ActiveEnterTimestamp,"
                "ConditionResult,MemoryCurrent,TasksCurrent",
                "checkstack-satellite.service", "checkstack-satellite-root.service"},
               units_size_max));
  if (!answer) return answer.error();
  if (!answer->ended_well()) {
    return Error{ErrorCode::unavailable, "systemctl does not answer: systemd does not run here"};
  }
  return answer->output;
}

Result<std::string> log_text(const std::string& file) {
  if (!file.empty()) return end_of(file);
  auto answer = ask_program(
      question({"journalctl", "--no-pager", "--quiet", "--output=short-iso", "--lines=2000",
                "--unit=checkstack-satellite.service", "--unit=checkstack-satellite-root.service"},
               journal_size_max));
  if (!answer) return answer.error();
  std::string& text = answer->output;
  if (!answer->ended_well() || text.empty()) {
    return Error{ErrorCode::unavailable, "the journal has no line of the service"};
  }
  if (text.size() > log_size_max.value) {
    text.erase(0, text.size() - log_size_max.value);
    cut_first_line(text);
  }
  return std::move(text);
}

Result<std::string> directory_text(const std::string& directory) {
  const Directory opened(::opendir(directory.c_str()));
  if (!opened) return error_from_errno(directory, errno);
  const int fd = ::dirfd(opened.get());
  std::vector<std::string> names;
  while (const dirent* const entry = ::readdir(opened.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != ".." && names.size() <= names_max) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  std::string text = directory + '\n' + room_in(fd);
  for (const std::string& name : names) {
    if (&name == &names.back() && names.size() > names_max) return text + "(and more)\n";
    text += line_about(fd, name);
  }
  return text;
}

}  // namespace satellite::agent
