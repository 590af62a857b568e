#include "agent/commands/service_unit.hpp"

#include "agent/config/load_config.hpp"
#include "sandbox/planning/shell_quote.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {
namespace {

constexpr const char* unit = "checkstack-satellite.service";
constexpr const char* root_unit = "checkstack-satellite-root.service";
// ConditionPathExists= and LoadCredential= of both units.
constexpr const char* token_of_unit = "/etc/checkstack-satellite/token";

/// The exit code; 127 where there is no such program.
int exit_code_of(std::vector<std::string> words) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
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

/// The one in use; else the one without privileges.
const char* unit_in_use() {
  for (const char* const question : {"is-active", "is-enabled"}) {
    if (exit_code_of({"systemctl", question, "--quiet", root_unit}) == 0) return root_unit;
  }
  return unit;
}

bool start_service(std::ostream& out) {
  const std::string name = unit_in_use();
  if (exit_code_of({"systemctl", "enable", name}) != 0 ||
      exit_code_of({"systemctl", "restart", name}) != 0) {
    return false;
  }
  // A condition of the unit that does not hold is no failure for systemctl.
  if (exit_code_of({"systemctl", "is-active", "--quiet", name}) != 0) {
    out << name << " was started and does not run: systemctl status " << name << '\n';
    return false;
  }
  out << name << " runs; checkstack-satellite status tells how it is doing\n";
  return true;
}

constexpr std::array unit_folders{"/etc/systemd/system/", "/usr/lib/systemd/system/",
                                  "/lib/systemd/system/"};
// WantedBy= of both units: what `enable` makes.
constexpr const char* enabled_units = "/etc/systemd/system/multi-user.target.wants/";

/// Empty where there is none.
std::string file_of_unit(const std::string& name) {
  // sd_booted(3): this directory says that systemd runs here.
  if (::access("/run/systemd/system", F_OK) != 0) return {};
  for (const char* folder : unit_folders) {
    const std::string file = folder + name;
    if (::access(file.c_str(), F_OK) == 0) return file;
  }
  return {};
}

}  // namespace

bool has_service_unit() {
  return !file_of_unit(unit).empty();
}

std::string user_of_unit(const std::string& text) {
  constexpr std::string_view key = "User=";
  std::string user;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(key)) user = line.substr(key.size());
  }
  return user.empty() ? "root" : user;
}

std::optional<InstalledUnit> installed_unit() {
  const bool is_root = ::access((std::string(enabled_units) + root_unit).c_str(), F_OK) == 0;
  const std::string name = is_root ? root_unit : unit;
  const std::string path = file_of_unit(name);
  if (path.empty()) return std::nullopt;
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return InstalledUnit{name, user_of_unit(text.str())};
}

Result<void> check_places_of_service(const std::string& settings, const std::string& token) {
  const std::string remedy =
      " alone; leave the option out, or add --no-start and start a unit of your own";
  if (settings != default_config_file) {
    return Error{ErrorCode::invalid_input, settings + ": the service reads its settings from " +
                                               default_config_file + remedy};
  }
  if (token != token_of_unit) {
    return Error{ErrorCode::invalid_input,
                 token + ": the service takes its token from " + token_of_unit + remedy};
  }
  return {};
}

bool tell_service(ServiceDeed deed, const ServiceFiles& files, std::ostream& out) {
  if (!has_service_unit()) {
    out << "there is no service of systemd here: "
        << (deed == ServiceDeed::start
                ? "start `checkstack-satellite run --config " +
                      sandbox::shell_quote(files.settings) + " --token-file " +
                      sandbox::shell_quote(files.token) + "`"
                : std::string("a satellite that runs takes the new token at its next connection, "
                              "or at SIGHUP"))
        << '\n';
    return true;
  }
  if (deed == ServiceDeed::start) return start_service(out);
  return exit_code_of({"systemctl", "try-restart", unit, root_unit}) == 0;
}

}  // namespace satellite::agent
