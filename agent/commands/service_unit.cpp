#include "agent/commands/service_unit.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

namespace satellite::agent {
namespace {

constexpr const char* unit = "checkstack-satellite.service";
constexpr const char* root_unit = "checkstack-satellite-root.service";

/// The exit code; 127 where there is no such program.
int exit_code_of(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t pid = -1;
  if (::posix_spawnp(&pid, arguments.front(), nullptr, nullptr, arguments.data(), environ) != 0) {
    return 127;
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

bool is_installed() {
  constexpr std::array folders{"/etc/systemd/system/", "/usr/lib/systemd/system/",
                               "/lib/systemd/system/"};
  // sd_booted(3): this directory says that systemd runs here.
  if (::access("/run/systemd/system", F_OK) != 0) return false;
  for (const char* folder : folders) {
    if (::access((std::string(folder) + unit).c_str(), F_OK) == 0) return true;
  }
  return false;
}

}  // namespace

bool tell_service(ServiceDeed deed, std::ostream& out) {
  if (!is_installed()) {
    out << "there is no service of systemd here: "
        << (deed == ServiceDeed::start ? "start `checkstack-satellite run --token-file FILE`"
                                       : "a satellite that runs is told by SIGHUP")
        << '\n';
    return true;
  }
  if (deed == ServiceDeed::restart) {
    return exit_code_of({"systemctl", "try-restart", unit, root_unit}) == 0;
  }
  const bool is_done = exit_code_of({"systemctl", "enable", unit}) == 0 &&
                       exit_code_of({"systemctl", "restart", unit}) == 0;
  if (is_done) out << unit << " runs; checkstack-satellite status tells how it is doing\n";
  return is_done;
}

}  // namespace satellite::agent
