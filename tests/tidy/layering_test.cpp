#include "tests/tidy/source_tree.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <regex>
#include <set>

using satellite::tests::source_files;
using satellite::tests::SourceFile;

namespace {

std::string top_of(const std::string& path) {
  return path.substr(0, path.find('/'));
}

bool is_vocabulary(const std::string& path) {
  return path.rfind("protocol/vocabulary/", 0) == 0;
}

/// The one-way arrows: who may include whom, besides itself and the vocabulary.
const std::map<std::string, std::set<std::string>> arrows{
    {"protocol", {}}, {"sandbox", {}}, {"tls", {}}, {"agent", {"protocol", "sandbox", "tls"}}};

std::vector<std::string> our_includes(const SourceFile& file) {
  static const std::regex include("^#include \"([a-z_]+/[^\"]+)\"");
  std::vector<std::string> found;
  for (const std::string& line : file.lines) {
    std::smatch match;
    if (std::regex_search(line, match, include)) found.push_back(match[1]);
  }
  return found;
}

}  // namespace

TEST_CASE("includes point one way: agent to sandbox, tls, protocol; all to the vocabulary") {
  std::size_t includes = 0;
  for (const SourceFile& file : source_files({"protocol", "sandbox", "tls", "agent"})) {
    for (const std::string& included : our_includes(file)) {
      ++includes;
      INFO(file.path << " includes " << included);
      if (is_vocabulary(included)) continue;
      CHECK_FALSE(is_vocabulary(file.path));
      const std::string from = top_of(file.path);
      const std::string to = top_of(included);
      // The demonstration shows a real core, and the only one there is belongs to the tests.
      if (file.path == "agent/commands/demo.cpp" && to == "tests") continue;
      CHECK((from == to || arrows.at(from).count(to) == 1));
    }
  }
  CHECK(includes > 100);
}

TEST_CASE("a header in a sub-folder is private to its top folder") {
  // launch_order and the like are read by the sandbox's own parts; the launcher is started by the
  // composition root, which is why its link is a door too.
  const std::set<std::string> doors{"sandbox/launcher/client/launcher_link.hpp"};
  for (const SourceFile& file : source_files({"protocol", "sandbox", "tls", "agent"})) {
    for (const std::string& included : our_includes(file)) {
      if (is_vocabulary(included) || top_of(included) == top_of(file.path)) continue;
      if (file.path == "agent/commands/demo.cpp" && top_of(included) == "tests") continue;
      INFO(file.path << " includes " << included);
      const bool at_the_root = included.find('/') == included.rfind('/');
      CHECK((at_the_root || doors.count(included) == 1));
    }
  }
}

TEST_CASE("each heavy library has one home") {
  const std::regex beast("boost/beast"), spdlog("<spdlog/"), cli("<CLI/"), toml("<toml\\.hpp>");
  const std::map<std::string, const std::regex*> homes{{"agent/connection/websocket_", &beast},
                                                       {"agent/runtime/log", &spdlog},
                                                       {"agent/commands/invocation", &cli},
                                                       {"agent/config/toml_file", &toml}};
  for (const SourceFile& file : source_files({"protocol", "sandbox", "tls", "agent"})) {
    for (const std::string& line : file.lines) {
      if (line.rfind("#include", 0) != 0) continue;
      for (const auto& [home, library] : homes) {
        INFO(file.path << ": " << line);
        CHECK((!std::regex_search(line, *library) || file.path.rfind(home, 0) == 0));
      }
    }
  }
}
