#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// What a script may want to know of the host and finds different, or missing, in a sandbox.
enum class HostTopic {
  disks,
  packages,
  processes,
  services,
  sessions,
  logs,
  loopback,
  connections,
  hardware,
  devices,  ///< of the host, which no script gets
  echo,     ///< raw sockets, which no script gets
  last = echo
};
inline constexpr std::size_t host_topic_count = static_cast<std::size_t>(HostTopic::last) + 1;

/// A topic, and by which known word it was recognised: never a text of a script, which may hold a
/// secret.
struct HostMention {
  HostTopic topic = HostTopic::disks;
  std::string word;
  bool operator==(const HostMention&) const = default;
};

/// What a program is about, by its name without path; its arguments decide where they
/// matter (`lsof -i`, `stat -f`).
std::optional<HostMention> mention_of_command(const std::vector<std::string>& words);

/// Whether a command about processes asks for those of a user: `check_procs -u root`,
/// `pgrep -u postgres`, `ps -U www-data`, `ps -o user=`.
bool asks_by_user(const std::vector<std::string>& words);

/// The topic of an absolute path, or of text that begins with one, and the known beginning.
std::optional<HostMention> mention_of_path(std::string_view path);

}  // namespace satellite::sandbox
