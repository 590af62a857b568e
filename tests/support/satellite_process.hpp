#pragma once

#include <sys/types.h>
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace satellite::tests {

/// The program that is started: the built one, or what SATELLITE_BINARY in the environment names.
std::string satellite_program();

/// The real program, started as a person or a service manager would, and surely gone at the end.
class SatelliteProcess {
 public:
  struct Start {
    std::vector<std::string> arguments;
    /// All of it; without a state directory it gets one beside its log.
    std::map<std::string, std::string> environment;
    std::string log_file;  ///< standard error goes there, appended
  };

  explicit SatelliteProcess(const Start& start);
  ~SatelliteProcess();
  SatelliteProcess(const SatelliteProcess&) = delete;
  SatelliteProcess& operator=(const SatelliteProcess&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const;

  /// The exit code, or -signal; fails the test when it does not end in time.
  int wait(std::chrono::milliseconds limit = std::chrono::seconds(120));
  bool running();

  /// What it wrote so far on standard error.
  std::string log() const;

 private:
  pid_t pid_ = -1;
  int status_ = 0;
  std::string log_file_;
};

/// One command to its end: exit code and both outputs.
struct CommandResult {
  int exit_code = -1;
  std::string standard_output, standard_error;
};
CommandResult run_satellite(const std::vector<std::string>& arguments,
                            const std::map<std::string, std::string>& environment = {},
                            const std::string& standard_input = {});

/// What a person's shell has.
extern const std::map<std::string, std::string> shell_path;

std::vector<pid_t> children_of(pid_t pid);

/// Looks again and again until `condition` holds; fails the test past the limit. For states that
/// nothing announces, such as another process's end.
void eventually(const std::string& what, const std::function<bool()>& condition,
                std::chrono::milliseconds limit = std::chrono::seconds(120));
/// A failure tells what the satellite had logged by then.
void eventually(const std::string& what, const std::function<bool()>& condition,
                const SatelliteProcess& satellite);

}  // namespace satellite::tests
