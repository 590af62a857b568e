#include "agent/commands/commands.hpp"
#include "agent/commands/terminal.hpp"
#include "agent/packages/archive/unpack_child.hpp"
#include "tls/library.hpp"

#include <fcntl.h>
#include <csignal>
#include <exception>
#include <iostream>
#include <string_view>
#include <variant>

namespace {

using satellite::agent::Invocation;

int perform(const Invocation& invocation) {
  using namespace satellite::agent;
  switch (invocation.command) {
    case Invocation::Command::run:
      return run_command(invocation);
    case Invocation::Command::exec:
      return exec_command(invocation);
    case Invocation::Command::plan:
      return plan_command(invocation);
    case Invocation::Command::policy:
      return policy_command(invocation);
    case Invocation::Command::packages:
      return packages_command(invocation);
    case Invocation::Command::doctor:
      return doctor_command(invocation);
    case Invocation::Command::status:
      return status_command(invocation);
    case Invocation::Command::check_config:
      return check_config_command(invocation);
    case Invocation::Command::version:
      return version_command(invocation);
    case Invocation::Command::enrol:
      return enrol_command(invocation);
    case Invocation::Command::rotate_token:
      return rotate_token_command(invocation);
    case Invocation::Command::support_bundle:
      return support_bundle_command(invocation);
    case Invocation::Command::help:
      break;
  }
  return exit_wrong_usage;
}

/// Where one of the three was closed, the next file that is opened would become it, and a log line
/// would end in a socket.
void keep_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDWR));
  }
}

/// An answer that nobody got is no success, however well the work went.
int with_output_written(int exit_code) {
  if (satellite::agent::flush_standard_output() || exit_code != 0) return exit_code;
  return satellite::agent::exit_failed;
}

}  // namespace

int main(int argc, char** argv) {
  // Before anything could call into it with the host's configuration.
  if (!satellite::tls::start_library()) return satellite::agent::exit_failed;
  // Started by ourselves to unpack what is foreign: that needs nothing of all below.
  if (argc == 1 && std::string_view(argv[0]) == satellite::agent::unpack_program_name) {
    return satellite::agent::run_unpack_child();
  }
  // A peer or a reader of our output that goes away is an error to look at, not a reason to die.
  std::signal(SIGPIPE, SIG_IGN);
  keep_standard_descriptors();
  try {
    const auto parsed = satellite::agent::parse_command_line(argc, argv);
    if (const auto* early = std::get_if<satellite::agent::ParsedEarly>(&parsed)) {
      (early->exit_code == 0 ? std::cout : std::cerr) << early->text;
      return with_output_written(early->exit_code);
    }
    return with_output_written(perform(std::get<Invocation>(parsed)));
  } catch (const std::exception& problem) {
    std::cerr << "checkstack-satellite: internal error: " << problem.what() << '\n';
    return satellite::agent::exit_failed;
  }
}
