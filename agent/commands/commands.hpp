#pragma once

#include "agent/commands/invocation.hpp"
#include "agent/config/load_config.hpp"

namespace satellite::agent {

/// Exit codes of every command, as `--help` lists them.
enum ExitCode : int {
  exit_done = 0,
  exit_failed = 1,         ///< the work was not done; the reason is on standard error
  exit_wrong_usage = 2,    ///< command line, settings or an input file is wrong
  exit_no_answer = 4,      ///< of `status`: no satellite answers
  exit_launcher_lost = 3,  ///< the launcher process went away; the service manager restarts both
};

/// One function per subcommand: invocation -> exit code. Each prints its own answer.
int run_command(const Invocation& invocation);
int exec_command(const Invocation& invocation);
int plan_command(const Invocation& invocation);
int policy_command(const Invocation& invocation);
int packages_command(const Invocation& invocation);
int status_command(const Invocation& invocation);
int doctor_command(const Invocation& invocation);
int enrol_command(const Invocation& invocation);
int rotate_token_command(const Invocation& invocation);
int support_bundle_command(const Invocation& invocation);
int check_config_command(const Invocation& invocation);
int version_command(const Invocation& invocation);

/// The sources of settings that an invocation and this process's environment name.
ConfigSources config_sources(const Invocation& invocation);

/// Prints `checkstack-satellite: MESSAGE` on standard error, in one line: what came from outside
/// is escaped.
void print_error(const std::string& message);

/// Says why the launcher could not be started; the command's exit code. A limit of this process is
/// the operator's to set, like a setting.
int no_launcher(const Error& error);

}  // namespace satellite::agent
