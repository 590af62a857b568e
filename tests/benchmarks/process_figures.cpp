#include "tests/benchmarks/process_figures.hpp"

#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace satellite::benchmarks {
namespace {

/// The words of its stat from that field on, proc(5).
std::istringstream stat_from_field(int first, pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  std::getline(file, text);
  // Behind the name, which may hold anything.
  std::istringstream words(text.substr(text.rfind(')') + 1));
  std::string word;
  for (int field = 3; field < first; ++field) words >> word;
  return words;
}

}  // namespace

std::vector<pid_t> process_family(pid_t agent) {
  std::vector<pid_t> family{agent};
  const std::string task = std::to_string(agent);
  std::ifstream children("/proc/" + task + "/task/" + task + "/children");
  for (pid_t child = 0; children >> child;) family.push_back(child);
  return family;
}

double processor_time(const std::vector<pid_t>& family) {
  double total = 0;
  for (const pid_t pid : family) {
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      std::ifstream file(task.path() / "schedstat");
      double nanoseconds = 0;
      file >> nanoseconds;
      total += nanoseconds / 1000;
    }
  }
  return total;
}

double processor_time_of_children(pid_t process) {
  auto stat = stat_from_field(16, process);  // cutime, cstime
  double user = 0, system = 0;
  stat >> user >> system;
  return (user + system) * 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

PageFaults page_faults(pid_t process) {
  auto stat = stat_from_field(10, process);  // minflt, cminflt, majflt, cmajflt
  double own = 0, of_children = 0, own_major = 0, of_children_major = 0;
  stat >> own >> of_children >> own_major >> of_children_major;
  return {own + own_major, of_children + of_children_major};
}

double proportional_size_mb(const std::vector<pid_t>& family) {
  double kilobytes = 0;
  for (const pid_t pid : family) {
    std::ifstream rollup("/proc/" + std::to_string(pid) + "/smaps_rollup");
    for (std::string line; std::getline(rollup, line);) {
      if (line.rfind("Pss:", 0) == 0) kilobytes += std::stod(line.substr(4));
    }
  }
  return kilobytes / 1024;
}

}  // namespace satellite::benchmarks
