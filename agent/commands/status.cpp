// Asks the satellite of this host over its socket. It gives text and JSON itself, so that what it
// says and how that is spelled are of one version.
#include "agent/commands/commands.hpp"
#include "agent/commands/input.hpp"
#include "agent/commands/running_satellite.hpp"

#include <iostream>

namespace satellite::agent {

int status_command(const Invocation& invocation) {
  const auto config = local_settings(invocation);
  if (!config) {
    print_error(config.error().message);
    return exit_wrong_usage;
  }
  if (config->status_socket == "none") {
    print_error("status.socket is none: this satellite is told not to answer");
    return exit_wrong_usage;
  }
  const auto answer = ask_satellite(*config, invocation.json ? "/status.json" : "/status");
  if (!answer) {
    print_error(answer.error().message);
    return exit_no_answer;
  }
  std::cout << answer->body << std::flush;
  const auto ready = ask_satellite(*config, "/readyz");
  return ready && ready->status == 200 ? exit_done : exit_failed;
}

}  // namespace satellite::agent
