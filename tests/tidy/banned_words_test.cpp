#include "tests/tidy/source_tree.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cctype>
#include <regex>

using satellite::tests::source_files;
using satellite::tests::SourceFile;
using satellite::tests::without_comment;

namespace {

/// What a regular expression takes seconds over in a build without optimisation.
bool has_one_of(std::string text, std::initializer_list<const char*> words) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::any_of(words.begin(), words.end(),
                     [&text](const char* word) { return text.find(word) != std::string::npos; });
}

}  // namespace

TEST_CASE("names say what a thing is: no manager, helper, util, common or handle_x") {
  const std::regex banned(
      "\\b[a-z_]*(manager|helper|util|handle_[a-z]|process_[a-z]+\\(|do_[a-z]+\\()",
      std::regex::icase);
  const std::regex names_of_the_kernel("\\b__NR_[a-z0-9_]+");
  const std::regex file_name("(manager|helper|utils?|common|base|misc)\\.(h|c)pp$");
  for (const SourceFile& file : source_files({"protocol", "sandbox", "tls", "agent"})) {
    INFO(file.path);
    CHECK_FALSE(std::regex_search(file.path, file_name));
    for (const std::string& line : file.lines) {
      if (!has_one_of(line, {"manager", "helper", "util", "handle_", "process_", "do_"})) continue;
      const std::string ours = without_comment(line);
      const std::string code = std::regex_replace(ours, names_of_the_kernel, "");
      if (code.find("\"") != std::string::npos || code.rfind("#include", 0) == 0) continue;
      INFO(code);
      CHECK_FALSE(std::regex_search(code, banned));
    }
  }
}

TEST_CASE("no marker of unfinished work stands in the product") {
  const std::regex marker("\\b(TODO|FIXME|XXX|HACK)\\b");
  for (const SourceFile& file : source_files({"protocol", "sandbox", "tls", "agent"})) {
    for (const std::string& line : file.lines) {
      if (!has_one_of(line, {"todo", "fixme", "xxx", "hack"})) continue;
      INFO(file.path << ": " << line);
      CHECK_FALSE(std::regex_search(line, marker));
    }
  }
}
