#include "sandbox/probing/trial_command.hpp"

#include <unistd.h>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace satellite::sandbox {
namespace {

// Where a run without a PATH of its own looks.
constexpr std::array directories{"/usr/local/bin/", "/usr/bin/", "/bin/"};

std::string find_in_run(const HostPrograms& programs, const char* name) {
  for (const char* directory : directories) {
    const std::string path = std::string(directory) + name;
    if (programs.is_executable(path)) return path;
  }
  return {};
}

}  // namespace

HostPrograms this_host_programs() {
  std::error_code unknown;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", unknown);
  return {[](const std::string& path) { return ::access(path.c_str(), X_OK) == 0; },
          unknown ? std::string() : own.string()};
}

std::vector<std::string> trial_command(const HostPrograms& programs) {
  if (!find_in_run(programs, "true").empty()) return {"true"};
  if (!find_shell(programs).empty()) return {"sh", "-c", ":"};
  if (!find_in_run(programs, "busybox").empty()) return {"busybox", "true"};
  for (const std::string_view shown : {"/usr/", "/bin/"}) {
    if (programs.own_program.starts_with(shown)) return {programs.own_program, "version"};
  }
  return {"true"};
}

std::string find_shell(const HostPrograms& programs) {
  return find_in_run(programs, "sh");
}

}  // namespace satellite::sandbox
