#pragma once

#include <string>
#include <vector>

namespace satellite::tests {

/// One source file of ours: its path from the root of the repository, and its lines.
struct SourceFile {
  std::string path;
  std::vector<std::string> lines;
};

/// Every .hpp and .cpp of the given top folders.
std::vector<SourceFile> source_files(const std::vector<std::string>& top_folders);

/// A line without what stands in a `//` comment; string literals that hold `//` are rare enough.
std::string without_comment(const std::string& line);

}  // namespace satellite::tests
