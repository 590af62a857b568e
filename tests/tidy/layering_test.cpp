#include "tests/tidy/source_tree.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <regex>
#include <set>
#include <vector>

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

/// The rooms of the sandbox: each may include itself and those before it. The rooms inside
/// sandbox/launcher have arrows of their own and count as one here, but for launcher/bare: it
/// includes nothing of ours, so that everybody may use its words.
const std::vector<std::string> sandbox_rooms{
    "launcher/bare", "kernel", "state", "policy",   "report",  "host",   "capture",
    "planning",      "module", "hints", "launcher", "probing", "running"};

/// The place of a file's room among the rooms.
std::size_t place_of_sandbox_room(const std::string& path) {
  const std::string bare = "sandbox/launcher/bare/";
  if (path.rfind(bare, 0) == 0) return 0;
  const auto start = path.find('/') + 1;
  const std::string room = path.substr(start, path.find('/', start) - start);
  const auto found = std::find(sandbox_rooms.begin(), sandbox_rooms.end(), room);
  REQUIRE(found != sandbox_rooms.end());
  return static_cast<std::size_t>(found - sandbox_rooms.begin());
}

std::vector<std::string> our_includes(const SourceFile& file) {
  static const std::regex include("^#include \"([a-z_]+/[^\"]+)\"");
  std::vector<std::string> found;
  for (const std::string& line : file.lines) {
    std::smatch match;
    if (std::regex_search(line, match, include)) found.push_back(match[1]);
  }
  return found;
}

/// `agent/config/toml_file.cpp` -> `config`; `agent/main.cpp` -> `main`.
std::string agent_room_of(const std::string& path) {
  const std::string inside = path.substr(path.find('/') + 1);
  const auto end = inside.rfind('/');
  return end == std::string::npos ? inside.substr(0, inside.find('.')) : inside.substr(0, end);
}

}  // namespace

TEST_CASE("includes point one way: agent to sandbox, tls, protocol, all to the vocabulary") {
  std::size_t includes = 0;
  for (const SourceFile& file : source_files({"protocol", "sandbox", "tls", "agent"})) {
    for (const std::string& included : our_includes(file)) {
      ++includes;
      INFO(file.path << " includes " << included);
      if (is_vocabulary(included)) continue;
      CHECK_FALSE(is_vocabulary(file.path));
      const std::string from = top_of(file.path);
      const std::string to = top_of(included);
      CHECK((from == to || arrows.at(from).count(to) == 1));
    }
  }
  CHECK(includes > 100);
}

TEST_CASE("the rooms of the sandbox include only themselves and those before them") {
  std::size_t arrows_seen = 0;
  for (const SourceFile& file : source_files({"sandbox"})) {
    for (const std::string& included : our_includes(file)) {
      if (top_of(included) != "sandbox") continue;
      INFO(file.path << " includes " << included);
      CHECK(place_of_sandbox_room(included) <= place_of_sandbox_room(file.path));
      if (place_of_sandbox_room(included) != place_of_sandbox_room(file.path)) ++arrows_seen;
    }
  }
  CHECK(arrows_seen > 50);
}

TEST_CASE("a header in a sub-folder is private to its top folder, the sandbox's doors apart") {
  // The sandbox consists of rooms, so its doors stand in them. The launcher is started by the
  // composition root, which is why its link and its settings are doors, too.
  const std::set<std::string> doors{"sandbox/capture/masker.hpp",
                                    "sandbox/capture/output_text.hpp",
                                    "sandbox/hints/proposed_grants.hpp",
                                    "sandbox/host/engines.hpp",
                                    "sandbox/host/host_view.hpp",
                                    "sandbox/host/macvlan_settings.hpp",
                                    "sandbox/host/readiness.hpp",
                                    "sandbox/launcher/client/launcher_link.hpp",
                                    "sandbox/launcher/wire/launcher_settings.hpp",
                                    "sandbox/planning/observability.hpp",
                                    "sandbox/planning/operators_word.hpp",
                                    "sandbox/planning/plan_question.hpp",
                                    "sandbox/planning/shell_quote.hpp",
                                    "sandbox/planning/shown_host.hpp",
                                    "sandbox/policy/policy_json.hpp",
                                    "sandbox/policy/policy_provider.hpp",
                                    "sandbox/probing/probe.hpp",
                                    "sandbox/probing/remedies.hpp",
                                    "sandbox/report/outcome.hpp",
                                    "sandbox/report/run_request.hpp",
                                    "sandbox/running/runner.hpp",
                                    "sandbox/state/packed_state.hpp",
                                    "sandbox/state/state_file.hpp"};
  for (const SourceFile& file : source_files({"protocol", "sandbox", "tls", "agent"})) {
    for (const std::string& included : our_includes(file)) {
      if (is_vocabulary(included) || top_of(included) == top_of(file.path)) continue;
      INFO(file.path << " includes " << included);
      const bool at_the_root = included.find('/') == included.rfind('/');
      CHECK((at_the_root || doors.count(included) == 1));
    }
  }
}

TEST_CASE("the agent's rooms point down") {
  // A room may include those in front of it in this list; rooms in the same braces know nothing of
  // each other. Files at the folder's root are rooms of their own.
  const std::vector<std::vector<std::string>> agent_rooms{
      {"runtime"},
      {"http"},
      {"config", "javascript", "packages/manifest", "status"},
      {"storage", "packages/placement", "packages/archive"},
      {"packages/store"},
      {"packages"},
      {"outbound"},
      {"checks/config", "checks/template"},
      {"checks"},
      {"dispatch", "schedule"},
      {"intake"},
      {"connection"},
      {"operation"},
      {"agent_parts"},
      {"agent"},
      {"commands"},
      {"main"}};
  std::map<std::string, std::size_t> floor_of;
  for (std::size_t floor = 0; floor < agent_rooms.size(); ++floor) {
    for (const std::string& room : agent_rooms[floor]) floor_of[room] = floor;
  }
  std::set<std::string> found;
  for (const SourceFile& file : source_files({"agent"})) {
    const std::string from = agent_room_of(file.path);
    INFO(file.path);
    REQUIRE(floor_of.count(from) == 1);
    found.insert(from);
    for (const std::string& included : our_includes(file)) {
      if (top_of(included) != "agent") continue;
      const std::string to = agent_room_of(included);
      INFO("includes " << included);
      CHECK((from == to || floor_of.at(to) < floor_of.at(from)));
    }
  }
  CHECK(found.size() == floor_of.size());
}

TEST_CASE("each heavy library has one home") {
  const std::regex beast("boost/beast"), spdlog("<spdlog/"), cli("<CLI/"), toml("<toml\\.hpp>"),
      zlib("<zlib\\.h>"), sqlite("<sqlite3");
  const std::map<std::string, const std::regex*> homes{
      {"agent/connection/websocket_", &beast}, {"agent/runtime/log", &spdlog},
      {"agent/storage/store_file", &sqlite},   {"agent/commands/invocation", &cli},
      {"agent/config/toml_file", &toml},       {"agent/packages/archive/gunzip", &zlib}};
  // Beast reads frames there, and heads of requests here, and a stream knows how it ends.
  const std::vector<std::string> other_homes_of_beast{"agent/http/http_request", "tls/byte_stream"};
  for (const SourceFile& file : source_files({"protocol", "sandbox", "tls", "agent"})) {
    for (const std::string& line : file.lines) {
      if (line.rfind("#include", 0) != 0) continue;
      for (const auto& [home, library] : homes) {
        INFO(file.path << ": " << line);
        const bool is_other_home =
            library == &beast &&
            std::any_of(other_homes_of_beast.begin(), other_homes_of_beast.end(),
                        [&](const std::string& other) { return file.path.starts_with(other); });
        CHECK((!std::regex_search(line, *library) || file.path.starts_with(home) || is_other_home));
      }
    }
  }
}

TEST_CASE("the launcher's rooms point down, each to the rooms that its process has") {
  // In the order of sandbox/launcher/README.md. client forks the launcher, so it includes that one
  // header of process.
  const std::map<std::string, std::set<std::string>> launcher_arrows{
      {"bare", {}},
      {"wire", {"bare"}},
      {"verify", {"bare", "wire"}},
      {"network", {"bare", "wire", "verify"}},
      {"process", {"bare", "wire", "verify", "network"}},
      {"client", {"wire", "verify"}}};
  const std::string launcher = "sandbox/launcher/";
  const auto room_of = [&launcher](const std::string& path) {
    return path.substr(launcher.size(), path.find('/', launcher.size()) - launcher.size());
  };
  std::size_t arrows_seen = 0;
  for (const SourceFile& file : source_files({"sandbox"})) {
    if (file.path.rfind(launcher, 0) != 0) continue;
    const std::string from = room_of(file.path);
    INFO(file.path);
    REQUIRE(launcher_arrows.count(from) == 1);
    for (const std::string& included : our_includes(file)) {
      if (included.rfind(launcher, 0) != 0) continue;
      const std::string to = room_of(included);
      ++arrows_seen;
      INFO("includes " << included);
      const bool is_the_fork =
          from == "client" && (included == launcher + "process/launcher_process.hpp" ||
                               included == launcher + "process/detach_from_agent.hpp");
      CHECK((from == to || launcher_arrows.at(from).count(to) == 1 || is_the_fork));
    }
  }
  CHECK(arrows_seen > 50);
}

TEST_CASE("bare code includes kernel headers and its own, and only the launcher's client Asio") {
  const std::regex kernel_header("^#include <(linux/|asm/|asm-generic/|cstdint>|cstddef>)");
  const std::regex asio("boost/asio");
  const std::string bare = "sandbox/launcher/bare/", client = "sandbox/launcher/client/";
  std::size_t kernel_headers = 0;
  for (const SourceFile& file : source_files({"sandbox"})) {
    if (file.path.rfind("sandbox/launcher/", 0) != 0) continue;
    for (const std::string& line : file.lines) {
      if (line.rfind("#include", 0) != 0) continue;
      INFO(file.path << ": " << line);
      CHECK((!std::regex_search(line, asio) || file.path.rfind(client, 0) == 0));
      if (file.path.rfind(bare, 0) != 0) continue;
      const bool is_of_the_kernel = std::regex_search(line, kernel_header);
      if (is_of_the_kernel) ++kernel_headers;
      CHECK((is_of_the_kernel || line.rfind("#include \"" + bare, 0) == 0));
    }
  }
  CHECK(kernel_headers > 20);
}
