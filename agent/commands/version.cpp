#include "agent/runtime/version.hpp"

#include "agent/commands/commands.hpp"

#include <iostream>
#include <nlohmann/json.hpp>

namespace satellite::agent {

int version_command(const Invocation& invocation) {
  if (invocation.json) {
    std::cout << nlohmann::json{{"version", program_version}}.dump() << '\n';
  } else {
    std::cout << "checkstack-satellite " << program_version << '\n';
  }
  return exit_done;
}

}  // namespace satellite::agent
