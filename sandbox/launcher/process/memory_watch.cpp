#include "sandbox/launcher/process/memory_watch.hpp"

#include "sandbox/kernel/proc_facts.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <charconv>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace satellite::sandbox {
namespace {

constexpr std::chrono::milliseconds look_pause(200);
// More of them are not looked at; a policy's process limit ends far below.
constexpr std::size_t watched_processes_max = 4'096;

std::uint64_t number_at_start(std::string_view& text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  while (text.starts_with(' ') || text.starts_with('\n')) text.remove_prefix(1);
  return number;
}

std::uint64_t own_memory_of(const std::string& process) {
  const auto text = kernel::read_small_file(AT_FDCWD, process + "/statm");
  if (!text) return 0;
  std::string_view rest = *text;
  static_cast<void>(number_at_start(rest));  // addresses, of which runtimes reserve gigabytes
  const std::uint64_t resident = number_at_start(rest);
  const std::uint64_t shared = number_at_start(rest);
  if (shared >= resident) return 0;
  return (resident - shared) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// The kernel lists children by the thread that started them.
void add_children(const std::string& process, std::vector<pid_t>& pids) {
  std::error_code problem;
  std::filesystem::directory_iterator threads(process + "/task", problem), end;
  while (!problem && threads != end) {
    const auto text = kernel::read_small_file(AT_FDCWD, threads->path().string() + "/children");
    std::string_view rest = text ? std::string_view(*text) : std::string_view();
    while (!rest.empty() && pids.size() < watched_processes_max) {
      const std::uint64_t pid = number_at_start(rest);
      if (pid == 0) break;
      pids.push_back(static_cast<pid_t>(pid));
    }
    threads.increment(problem);
  }
}

}  // namespace

std::uint64_t own_memory_below(pid_t root) {
  std::vector<pid_t> pids{root};
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < pids.size(); ++i) {
    const std::string process = "/proc/" + std::to_string(pids[i]);
    bytes += own_memory_of(process);
    add_children(process, pids);
  }
  return bytes;
}

void MemoryWatch::begin(TimePoint now) {
  if (bytes_max_ > 0) next_look_ = now + look_pause;
}

bool MemoryWatch::take_exceeded(TimePoint now, pid_t root) {
  if (!next_look_ || now < *next_look_) return false;
  next_look_ = now + look_pause;
  if (own_memory_below(root) <= bytes_max_) return false;
  exceeded_ = true;
  next_look_.reset();
  return true;
}

}  // namespace satellite::sandbox
