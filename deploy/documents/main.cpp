// satellite_documents FOLDER: writes manual pages and completions into it, under the names that
// packages install them by.
#include "agent/runtime/version.hpp"
#include "deploy/documents/completions.hpp"
#include "deploy/documents/manual.hpp"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

int main(int argc, char** argv) {
  using namespace satellite;
  if (argc != 2) {
    std::cerr << "usage: satellite_documents FOLDER\n";
    return 2;
  }
  const auto commands = agent::describe_commands();
  const std::map<std::string, std::string> written{
      {"checkstack-satellite.8", documents::manual_of_program(commands, agent::program_version)},
      {"satellite.toml.5", documents::manual_of_settings(agent::program_version)},
      {"checkstack-satellite.bash", documents::bash_completion(commands)},
      {"_checkstack-satellite", documents::zsh_completion(commands)},
      {"checkstack-satellite.fish", documents::fish_completion(commands)},
  };
  std::filesystem::create_directories(argv[1]);
  for (const auto& [name, text] : written) {
    std::ofstream file(std::filesystem::path(argv[1]) / name, std::ios::binary);
    if (!(file << text).flush()) {
      std::cerr << "satellite_documents: cannot write " << name << " in " << argv[1] << '\n';
      return 1;
    }
  }
  return 0;
}
