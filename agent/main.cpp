#include "agent/commands/commands.hpp"

#include <csignal>
#include <exception>
#include <iostream>
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
    case Invocation::Command::doctor:
      return doctor_command(invocation);
    case Invocation::Command::check_config:
      return check_config_command(invocation);
    case Invocation::Command::demo:
      return demo_command(invocation);
    case Invocation::Command::version:
      return version_command(invocation);
  }
  return exit_wrong_usage;
}

}  // namespace

int main(int argc, char** argv) {
  // A peer or a reader of our output that goes away is an error to look at, not a reason to die.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const auto parsed = satellite::agent::parse_command_line(argc, argv);
    if (const auto* early = std::get_if<satellite::agent::ParsedEarly>(&parsed)) {
      (early->exit_code == 0 ? std::cout : std::cerr) << early->text;
      return early->exit_code;
    }
    return perform(std::get<Invocation>(parsed));
  } catch (const std::exception& problem) {
    std::cerr << "checkstack-satellite: internal error: " << problem.what() << '\n';
    return satellite::agent::exit_failed;
  }
}
