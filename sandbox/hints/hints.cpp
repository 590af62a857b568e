#include "sandbox/hints/hints.hpp"

#include "sandbox/hints/first_line.hpp"
#include "sandbox/hints/output_evidence.hpp"
#include "sandbox/hints/script_topics.hpp"
#include "sandbox/hints/shell_commands.hpp"

#include <algorithm>
#include <array>

namespace satellite::sandbox {
namespace {

struct Answer {
  std::string_view text;   ///< what the answer is worth; a known word may stand before it
  std::string_view grant;  ///< which setting would show the host's; empty = none
};
constexpr std::array<Answer, host_topic_count> answers{{
    {"disk figures are those of the sandbox, not of the host's disks", "disks of host_view"},
    {"the host's package database is not shown",
     "paths of host_view: /var/lib/dpkg, /var/lib/apt, /etc/apt, or /var/lib/rpm"},
    {"only the processes of this run are seen, not the host's", "processes of host_view"},
    {"the host's service manager cannot be asked",
     "sockets of host_view: /run/dbus/system_bus_socket, and paths: /run/systemd/system"},
    {"who is logged in on the host is not shown", "sessions of host_view"},
    {"the host's logs are not shown", "paths of host_view: /var/log"},
    {"127.0.0.1 and ::1 are the run's own: no service of the host answers there",
     "loopback of host_view, with the port"},
    {"interfaces, ports and connections are those of the run, not of the host", ""},
    {"the host's /sys is not shown", "system of host_view"},
    {"devices of the host are never shown", ""},
    {"raw sockets are never given: use check_ping or ping (fping 5.1 reports loss without them)",
     ""},
}};

/// Directories of which a root of the run's own has the host's content, or content of the run's.
constexpr std::array<std::string_view, 8> hinted_directories{"/usr",   "/bin",  "/sbin", "/lib",
                                                             "/lib64", "/proc", "/dev",  "/tmp"};

bool lies_in(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

/// `/var/lib/x` -> `/var`.
std::string_view first_directory(std::string_view path) {
  return path.substr(0, path.find('/', 1));
}

/// As a word of its own.
bool names_place(std::string_view script, std::string_view place) {
  constexpr std::string_view ends = " \t\n;|&)'\"";
  for (auto at = script.find(place); at != script.npos; at = script.find(place, at + 1)) {
    const auto next = at + place.size();
    const bool begins = at == 0 || ends.find(script[at - 1]) != ends.npos;
    if (begins && (next == script.size() || ends.find(script[next]) != ends.npos)) return true;
  }
  return false;
}

class Hints {
 public:
  explicit Hints(const HostInView& host) : host_(host) {}

  void add(std::string text) {
    const bool is_there = std::find(texts_.begin(), texts_.end(), text) != texts_.end();
    if (!is_there && texts_.size() < hints_max) texts_.push_back(std::move(text));
  }

  void add(const HostMention& mention) {
    const auto index = static_cast<std::size_t>(mention.topic);
    if (host_[mention.topic] || told_[index]) return;
    told_[index] = true;
    const std::string word = mention.word.empty() ? "" : mention.word + ": ";
    const Answer& answer = answers[index];
    const std::string grant = answer.grant.empty() ? "" : "; " + std::string(answer.grant);
    add(word + std::string(answer.text) + grant);
  }

  /// Where the host's disks are shown, these are not among them.
  void add_own_places(std::string_view script) {
    if (!host_.has_own_files || !host_[HostTopic::disks]) return;
    for (const std::string_view place : {"/tmp", "/dev/shm", "/dev", "/etc"}) {
      if (names_place(script, place)) {
        add("the size of " + std::string(place) + " is that of the sandbox's own, not the host's");
      }
    }
  }

  /// Of processes that are shown.
  void add_unknown_owners(std::string_view script) {
    if (!host_[HostTopic::processes] || host_.tells_owners) return;
    for (const auto& command : shell_commands(script)) {
      if (!asks_by_user(command.words)) continue;
      return add(
          "this satellite cannot tell whose the host's processes are: all but its own count as "
          "nobody's; ask without a user, or let the satellite be root");
    }
  }

  void add_missing(std::string_view path) {
    const auto is_shown = [path](std::string_view directory) { return lies_in(path, directory); };
    if (!host_.has_own_files ||
        std::any_of(hinted_directories.begin(), hinted_directories.end(), is_shown) ||
        std::any_of(host_.paths.begin(), host_.paths.end(), is_shown)) {
      return;
    }
    add(std::string(path) + ": " + what_is_shown(first_directory(path)) +
        "; paths or programs of host_view");
  }

  std::vector<std::string> take() { return std::move(texts_); }

 private:
  std::string what_is_shown(std::string_view top) const {
    if (top == "/etc") return "of the host's /etc only what programs need is shown";
    const bool is_in_part =
        std::any_of(host_.paths.begin(), host_.paths.end(),
                    [top](std::string_view path) { return lies_in(path, top); });
    return "of the host's " + std::string(top) +
           (is_in_part ? " only what is granted is shown" : " nothing is shown");
  }

  const HostInView& host_;
  std::array<bool, host_topic_count> told_{};
  std::vector<std::string> texts_;
};

ScriptKind kind_of(const HintInputs& inputs) {
  if (inputs.is_module) return ScriptKind::scripting;
  return kind_of_interpreter(interpreter_of(inputs.script).name);
}

}  // namespace

std::vector<std::string> hints_for(const HintInputs& inputs) {
  Hints hints(inputs.host);
  if (!inputs.is_module && !inputs.honours_first_line) {
    for (auto& text : first_line_hints(inputs.script, inputs.shell)) hints.add(std::move(text));
  }
  const auto evidence = evidence_in(inputs.output);
  for (const auto& mention : evidence.topics) hints.add(mention);
  if (!evidence.missing_paths.empty()) hints.add_missing(evidence.missing_paths.front());
  for (const auto& mention : topics_of_script(inputs.script, kind_of(inputs))) {
    hints.add(mention);
    if (mention.topic == HostTopic::disks) hints.add_own_places(inputs.script);
  }
  hints.add_unknown_owners(inputs.script);
  // Last, since what is not there fails by itself, while a figure of the sandbox passes for the
  // host's. The first has told already that paths are missing.
  for (const auto& path : evidence.missing_paths) hints.add_missing(path);
  return hints.take();
}

}  // namespace satellite::sandbox
