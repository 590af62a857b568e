#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::tests {

/// One text file of ours: its path from the root of the repository, and its lines.
struct SourceFile {
  std::string path;
  std::vector<std::string> lines;
};

/// Every .hpp and .cpp of the given top folders.
std::vector<SourceFile> source_files(const std::vector<std::string>& top_folders);

/// Every file below the top folders, and those beside them, whose name ends like this.
std::vector<SourceFile> files_ending_in(std::string_view end);

/// The paths of all files and folders, from the root of the repository.
const std::set<std::string>& tree_paths();

/// A line without what stands in a `//` comment; string literals that hold `//` are rare enough.
std::string without_comment(const std::string& line);

/// `sandbox/planning` of `sandbox/planning/plan.hpp`; empty at the root.
std::string folder_of(const std::string& path);

/// `path` as it reads from `folder`, with `.` and `..` worked off.
std::string joined(const std::string& folder, const std::string& path);

}  // namespace satellite::tests
