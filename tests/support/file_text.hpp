#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace satellite::tests {

/// All of a file; empty where there is none that can be read.
inline std::string file_text(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace satellite::tests
