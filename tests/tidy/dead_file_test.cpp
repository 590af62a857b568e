#include "tests/tidy/source_tree.hpp"

#include <fnmatch.h>
#include <catch2/catch.hpp>
#include <map>
#include <regex>

using namespace satellite::tests;

namespace {

bool is_test(const std::string& path) {
  return path.starts_with("tests/");
}

/// The sources that a CMakeLists.txt names, from the root of the repository; with `*` where it says
/// so.
std::set<std::string> sources_named_in(const SourceFile& list) {
  static const std::regex source("[A-Za-z0-9_.*/${}-]+\\.cpp");
  static const std::regex root("\\$\\{(CMAKE|PROJECT)_SOURCE_DIR\\}/");
  static const std::regex here("\\$\\{CMAKE_CURRENT_SOURCE_DIR\\}/");
  std::set<std::string> named;
  for (const std::string& line : list.lines) {
    const std::string text = line.substr(0, line.find('#'));
    for (std::sregex_iterator at(text.begin(), text.end(), source), end; at != end; ++at) {
      const std::string word = at->str();
      const std::string from_root = std::regex_replace(word, root, "");
      const std::string from_here = std::regex_replace(word, here, "");
      named.insert(from_root != word ? joined("", from_root)
                                     : joined(folder_of(list.path), from_here));
    }
  }
  return named;
}

bool is_named(const std::string& path, const std::set<std::string>& named) {
  for (const std::string& pattern : named) {
    if (::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0) return true;
  }
  return false;
}

/// Header -> who includes it, besides the .cpp of its own name.
std::map<std::string, std::set<std::string>> includers(const std::vector<SourceFile>& files) {
  static const std::regex include("^#include \"([^\"]+)\"");
  std::map<std::string, std::set<std::string>> found;
  for (const SourceFile& file : files) {
    const std::string own = file.path.substr(0, file.path.size() - 4) + ".hpp";
    for (const std::string& line : file.lines) {
      std::smatch match;
      if (!std::regex_search(line, match, include)) continue;
      for (const std::string& folder :
           {std::string(), std::string("tests"), folder_of(file.path)}) {
        const std::string header = joined(folder, match[1]);
        if (header != own) found[header].insert(file.path);
      }
    }
  }
  return found;
}

}  // namespace

TEST_CASE("the sources of a CMakeLists.txt are read as CMake reads them") {
  const auto named = sources_named_in(
      {"tests/fuzz/CMakeLists.txt",
       {"add_executable(x a.cpp ../unit/b.cpp)  # old.cpp", "  ${CMAKE_SOURCE_DIR}/agent/c/*.cpp",
        "  ${CMAKE_CURRENT_SOURCE_DIR}/d.cpp"}});
  CHECK(named == std::set<std::string>{"tests/fuzz/a.cpp", "tests/unit/b.cpp", "agent/c/*.cpp",
                                       "tests/fuzz/d.cpp"});
  CHECK(is_named("agent/c/one.cpp", named));
  CHECK_FALSE(is_named("agent/c/deeper/one.cpp", named));
  CHECK_FALSE(is_named("tests/fuzz/old.cpp", named));
}

TEST_CASE("every source file is compiled by a target, those of the product by one of its own") {
  std::set<std::string> by_product, by_tests;
  for (const SourceFile& list : files_ending_in("CMakeLists.txt")) {
    (is_test(list.path) ? by_tests : by_product).merge(sources_named_in(list));
  }
  for (const std::string& path : tree_paths()) {
    if (!path.ends_with(".cpp")) continue;
    INFO(path);
    CHECK(is_named(path, is_test(path) ? by_tests : by_product));
  }
}

TEST_CASE("every header is included, those of the product by the product") {
  const auto files = source_files({"protocol", "sandbox", "tls", "agent", "tests"});
  const auto users = includers(files);
  for (const SourceFile& file : files) {
    if (!file.path.ends_with(".hpp")) continue;
    bool is_used = false;
    if (const auto found = users.find(file.path); found != users.end()) {
      for (const std::string& user : found->second) is_used |= is_test(file.path) || !is_test(user);
    }
    INFO(file.path);
    CHECK(is_used);
  }
}
