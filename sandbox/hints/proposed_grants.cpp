#include "sandbox/hints/proposed_grants.hpp"

#include "sandbox/hints/first_line.hpp"
#include "sandbox/hints/output_evidence.hpp"
#include "sandbox/hints/script_topics.hpp"
#include "sandbox/hints/shell_commands.hpp"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string_view>

namespace satellite::sandbox {
namespace {

class Proposal {
 public:
  explicit Proposal(const HostPaths& host) : host_(host) {}

  void add(HostTopic topic) {
    switch (topic) {
      case HostTopic::packages:
        return add_paths({"/var/lib/dpkg", "/var/lib/apt", "/var/cache/apt", "/etc/apt",
                          "/etc/dpkg", "/var/lib/rpm", "/etc/yum.repos.d", "/etc/zypp", "/lib/apk",
                          "/etc/apk"});
      case HostTopic::logs:
        return add_paths({"/var/log"});
      case HostTopic::services:
        add_paths({"/run/systemd/system"});
        return add_socket("/run/dbus/system_bus_socket");
      case HostTopic::sessions:
        view_.sessions = true;
        return;
      case HostTopic::hardware:
        view_.system = true;
        return;
      case HostTopic::disks:
        view_.disks = true;
        return;
      case HostTopic::processes:
        view_.processes = true;
        return;
      case HostTopic::loopback:
      case HostTopic::connections:
      case HostTopic::devices:
      case HostTopic::echo:
        return;
    }
  }

  void add_missing(const std::string& path) {
    if (host_.is_socket(path)) return add_socket(path);
    add_path(path, view_.paths);
  }

  /// Of `127.0.0.1:8080` and its like, and behind the option that many clients have for it.
  void add_ports(std::string_view script) {
    for (const std::string_view host : {"127.0.0.1:", "localhost:", "[::1]:"}) {
      for (auto at = script.find(host); at != script.npos; at = script.find(host, at + 1)) {
        auto digits = script.substr(at + host.size());
        digits = digits.substr(0, std::min(digits.find_first_not_of("0123456789"), digits.size()));
        add_port(digits);
      }
    }
    for (const auto& command : shell_commands(script)) {
      const auto mention = mention_of_command(command.words);
      if (!mention || mention->topic != HostTopic::loopback) continue;
      for (std::size_t i = 1; i + 1 < command.words.size(); ++i) {
        const std::string& word = command.words[i];
        if (word == "-p" || word == "-P" || word == "--port") add_port(command.words[i + 1]);
      }
    }
  }

  HostView take() { return std::move(view_); }

 private:
  void add_port(std::string_view digits) {
    const auto ports = parse_loopback_ports(digits, {});
    auto& known = view_.loopback;
    if (!ports || ports->empty() || known.size() == loopback_ports_max) return;
    const auto port = ports->front();
    if (std::find(known.begin(), known.end(), port) == known.end()) known.push_back(port);
  }
  void add_paths(std::initializer_list<const char*> paths) {
    for (const char* path : paths) add_path(path, view_.paths);
  }
  void add_path(const std::string& path, std::vector<std::string>& to) {
    const auto plain = parse_shown_paths(path);
    if (!plain || plain->size() != 1 || !host_.exists(plain->front())) return;
    const auto holds = [&](const std::string& one) { return is_at_or_below(plain->front(), one); };
    if (std::any_of(to.begin(), to.end(), holds)) return;
    to.push_back(plain->front());
  }
  void add_socket(const std::string& path) {
    const auto plain = parse_shown_sockets(path);
    if (!plain || plain->size() != 1 || !host_.is_socket(path)) return;
    if (std::find(view_.sockets.begin(), view_.sockets.end(), path) == view_.sockets.end()) {
      view_.sockets.push_back(path);
    }
  }

  const HostPaths& host_;
  HostView view_;
};

}  // namespace

HostView propose_grants(const HintInputs& inputs, const HostPaths& host) {
  Proposal proposal(host);
  const auto evidence = evidence_in(inputs.output);
  for (const auto& mention : evidence.topics) proposal.add(mention.topic);
  for (const auto& path : evidence.missing_paths) proposal.add_missing(path);
  proposal.add_ports(inputs.script);
  const auto kind = inputs.is_module ? ScriptKind::scripting
                                     : kind_of_interpreter(interpreter_of(inputs.script).name);
  for (const auto& mention : topics_of_script(inputs.script, kind)) proposal.add(mention.topic);
  return proposal.take();
}

}  // namespace satellite::sandbox
