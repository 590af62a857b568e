#include "sandbox/hints/output_evidence.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace satellite::sandbox {
namespace {

constexpr std::size_t output_read_max = 16U << 10U;
// A path whose first directory is all of it stands twice in its hint.
constexpr std::size_t paths_max = 4, path_size_max = 96;

using enum HostTopic;

constexpr auto known_messages = std::to_array<std::pair<std::string_view, HostTopic>>({
    {"lookup self", processes},
    {"raw socket", echo},
    {"SOCK_RAW", echo},
    {"ailed to connect to bus", services},
    {"ailed to connect to system scope bus", services},
    {"has not been booted with systemd", services},
    {"o journal files were found", logs},
    {"o such file or directory: '/sys/", hardware},
    {"kernel driver you need", hardware},
});

constexpr std::array<std::string_view, 6> absences{
    "o such file or directory", "cannot open", "can't open", "an't open",
    "does not exist",           "not found"};

bool is_path_end(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte <= 0x20 || byte >= 0x7f) return true;
  return std::string_view(" \t'\"`:,;()<>").find(c) != std::string_view::npos;
}

/// The first absolute path of a line that says that something is missing.
std::string_view missing_path(std::string_view line) {
  const bool says_so = std::any_of(absences.begin(), absences.end(), [line](std::string_view text) {
    return line.find(text) != line.npos;
  });
  if (!says_so) return {};
  for (auto at = line.find('/'); at != line.npos; at = line.find('/', at + 1)) {
    if (at > 0 && !is_path_end(line[at - 1])) continue;
    const auto rest = line.substr(at);
    const auto end = std::find_if(rest.begin(), rest.end(), is_path_end);
    const auto path = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
    // A shell names the descriptor that it reads the script from before what it did not find.
    if (path.starts_with("/proc/self/fd/")) continue;
    if (path.size() > 1 && path[1] != '/') return path;
  }
  return {};
}

}  // namespace

OutputEvidence evidence_in(std::string_view output) {
  OutputEvidence found;
  output = output.substr(0, output_read_max);
  const auto add = [&found](HostTopic topic, std::string_view word) {
    const bool is_known =
        std::any_of(found.topics.begin(), found.topics.end(),
                    [topic](const HostMention& one) { return one.topic == topic; });
    if (!is_known) found.topics.push_back({topic, std::string(word)});
  };
  while (!output.empty()) {
    const auto line = output.substr(0, output.find('\n'));
    output.remove_prefix(std::min(output.size(), line.size() + 1));
    for (const auto& [text, topic] : known_messages) {
      if (line.find(text) != line.npos) add(topic, {});
    }
    const auto path = missing_path(line).substr(0, path_size_max);
    if (path.empty()) continue;
    if (const auto mention = mention_of_path(path)) {
      add(mention->topic, mention->word);
    } else if (found.missing_paths.size() < paths_max) {
      found.missing_paths.emplace_back(path);
    }
  }
  return found;
}

}  // namespace satellite::sandbox
