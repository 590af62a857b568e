#include "agent/runtime/version.hpp"

#include "agent/commands/commands.hpp"

#include <iostream>

namespace satellite::agent {

int version_command(const Invocation&) {
  std::cout << "checkstack-satellite " << program_version << '\n';
  return exit_done;
}

}  // namespace satellite::agent
