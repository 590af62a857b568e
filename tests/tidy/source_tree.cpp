#include "tests/tidy/source_tree.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

namespace satellite::tests {
namespace {

namespace fs = std::filesystem;

// What is ours; a build and the files of a version control lie beside it.
constexpr std::array top_folders_of_the_tree{"protocol", "sandbox", "tls",
                                             "agent",    "tests",   "deploy"};

std::vector<std::string> lines_of(const fs::path& path) {
  std::vector<std::string> lines;
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::set<std::string> read_tree_paths() {
  const fs::path root = SATELLITE_SOURCE_DIR;
  std::set<std::string> paths;
  for (const auto& entry : fs::directory_iterator(root)) {
    if (entry.is_regular_file()) paths.insert(entry.path().filename().string());
  }
  for (const char* folder : top_folders_of_the_tree) {
    paths.insert(folder);
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      paths.insert(fs::relative(entry.path(), root).string());
    }
  }
  return paths;
}

}  // namespace

const std::set<std::string>& tree_paths() {
  static const std::set<std::string> paths = read_tree_paths();
  return paths;
}

std::vector<SourceFile> files_ending_in(std::string_view end) {
  std::vector<SourceFile> files;
  for (const std::string& path : tree_paths()) {
    const fs::path on_disk = fs::path(SATELLITE_SOURCE_DIR) / path;
    if (!path.ends_with(end) || !fs::is_regular_file(on_disk)) continue;
    files.push_back({path, lines_of(on_disk)});
  }
  return files;
}

std::vector<SourceFile> source_files(const std::vector<std::string>& top_folders) {
  std::vector<SourceFile> files = files_ending_in("pp");
  const auto is_elsewhere = [&top_folders](const SourceFile& file) {
    const std::string top = file.path.substr(0, file.path.find('/'));
    return std::find(top_folders.begin(), top_folders.end(), top) == top_folders.end() ||
           !(file.path.ends_with(".hpp") || file.path.ends_with(".cpp"));
  };
  files.erase(std::remove_if(files.begin(), files.end(), is_elsewhere), files.end());
  return files;
}

std::string without_comment(const std::string& line) {
  return line.substr(0, line.find("//"));
}

std::string folder_of(const std::string& path) {
  return fs::path(path).parent_path().string();
}

std::string joined(const std::string& folder, const std::string& path) {
  return (fs::path(folder) / path).lexically_normal().string();
}

}  // namespace satellite::tests
