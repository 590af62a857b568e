#include "sandbox/host/host_view.hpp"

#include "protocol/vocabulary/printable.hpp"
#include "sandbox/state/packed_state.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <system_error>
#include <utility>

namespace satellite::sandbox {
namespace {

constexpr std::size_t shown_path_size_max = 1'024;
constexpr std::ptrdiff_t shown_path_depth_max = 16;

struct Refused {
  std::string_view directory;
  bool with_all_below = false;
  std::string_view reason;
};

constexpr std::string_view doors =
    "it holds sockets that are doors to the host's services: name "
    "single sockets in host_view.sockets";
constexpr std::array refused_paths{
    Refused{"/", false, "name what a check needs to see"},
    Refused{"/proc", true, "a run has a /proc of its own: set host_view.processes"},
    Refused{"/sys", true, "set host_view.system"},
    Refused{"/dev", true, "devices of the host are never shown"},
    Refused{"/tmp", true, "a run has a /tmp of its own"},
    Refused{"/run", false, doors},
    Refused{"/var/run", false, doors},
    Refused{"/run/dbus", true, doors},
    Refused{"/var/run/dbus", true, doors},
    Refused{"/run/user", true, doors},
    Refused{"/root", false, "name what is below it"},
};
constexpr std::array refused_sockets{
    Refused{"/", false, "name a socket"},
    Refused{"/proc", true, "there are no sockets in it"},
    Refused{"/sys", true, "there are no sockets in it"},
    Refused{"/tmp", true, "a run has a /tmp of its own: let the service have its socket in /run"},
};

struct KnownSocket {
  std::string_view name, warning;
};
constexpr std::array known_sockets{
    KnownSocket{"docker.sock", "whoever reaches it is root on this host"},
    KnownSocket{"containerd.sock", "whoever reaches it is root on this host"},
    KnownSocket{"podman.sock", "whoever reaches it may be root on this host"},
    KnownSocket{"crio.sock", "whoever reaches it is root on this host"},
    KnownSocket{"libvirt-sock", "whoever reaches it may be root on this host"},
    KnownSocket{"unix.socket", "whoever reaches the one of LXD or Incus is root on this host"},
    KnownSocket{"snapd.socket", "services may be changed through it"},
    KnownSocket{"system_bus_socket", "scripts may ask of every service what polkit lets them"},
    KnownSocket{"mysqld.sock", "scripts log in as their own user where the server trusts that"},
    KnownSocket{".s.PGSQL.5432", "scripts log in as their own user where the server trusts that"},
    KnownSocket{"rpcbind.sock", "services may be registered through it"},
};

struct KnownPort {
  std::uint16_t port = 0;
  std::string_view warning;
};
constexpr std::array known_ports{
    KnownPort{2375, "whoever reaches Docker's port is root on this host"},
    KnownPort{2379, "etcd trusts whoever reaches it unless it asks for certificates"},
    KnownPort{3306, "MySQL may trust users that come from this host"},
    KnownPort{5432, "PostgreSQL may trust users that come from this host (pg_hba.conf)"},
    KnownPort{6379, "Redis trusts whoever reaches it unless it has a password"},
    KnownPort{8500, "Consul trusts whoever reaches it unless it has access lists"},
    KnownPort{9200, "Elasticsearch trusts whoever reaches it unless it has users"},
    KnownPort{10250, "the kubelet runs programs for whoever it trusts"},
    KnownPort{11211, "memcached trusts whoever reaches it"},
    KnownPort{27017, "MongoDB trusts whoever reaches it unless it has users"},
};

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

Error wrong_path(std::string_view path, std::string_view problem,
                 ErrorCode code = ErrorCode::invalid_input) {
  return Error{code, "'" + printable(path, 128) + "': " + std::string(problem)};
}

/// The one way to write it. Errors: what has no such way.
Result<std::string> plain_path(std::string_view text) {
  if (text.empty() || text.front() != '/') return wrong_path(text, "must be an absolute path");
  if (text.size() > shown_path_size_max) return wrong_path(text, "is longer than 1,024 bytes");
  const bool has_control = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (has_control) return wrong_path(text, "holds a control character");
  std::string path;
  while (!text.empty()) {
    text.remove_prefix(std::min(text.find_first_not_of('/'), text.size()));
    const auto part = text.substr(0, text.find('/'));
    text.remove_prefix(part.size());
    if (part == "..") return wrong_path(path + "/..", "write it without ..");
    if (!part.empty() && part != ".") path += "/" + std::string(part);
  }
  if (std::count(path.begin(), path.end(), '/') > shown_path_depth_max) {
    return wrong_path(path, "has more than 16 directories");
  }
  return path.empty() ? "/" : path;
}

Result<std::uint16_t> port_number(std::string_view word) {
  unsigned number = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), number);
  const bool is_whole = parsed.ec == std::errc{} && parsed.ptr == word.data() + word.size();
  if (!is_whole || number == 0 || number > 65'535) {
    return wrong_path(word, "is no port from 1 to 65535");
  }
  return static_cast<std::uint16_t>(number);
}

std::string_view next_word_of(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const auto word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

/// The port of one line of services(5) if it is for TCP and has this name or alias.
std::optional<std::uint16_t> port_in_line(std::string_view line, std::string_view name) {
  line = line.substr(0, line.find('#'));
  const auto official = next_word_of(line);
  const auto number = next_word_of(line);
  bool is_named = official == name;
  for (auto alias = next_word_of(line); !alias.empty(); alias = next_word_of(line)) {
    is_named = is_named || alias == name;
  }
  if (!is_named || !number.ends_with("/tcp")) return std::nullopt;
  const auto port = port_number(number.substr(0, number.size() - 4));
  return port ? std::optional(*port) : std::nullopt;
}

Result<std::uint16_t> port_of_service(std::string_view name, std::string_view services) {
  std::optional<std::uint16_t> found;
  while (!services.empty()) {
    const auto line = services.substr(0, services.find('\n'));
    services.remove_prefix(std::min(services.size(), line.size() + 1));
    const auto port = port_in_line(line, name);
    if (!port || port == found) continue;
    if (found) return wrong_path(name, "has two ports in /etc/services: write the number");
    found = port;
  }
  if (!found) return wrong_path(name, "is neither a port nor a TCP service of /etc/services");
  return *found;
}

template <typename Refusals>
Result<std::vector<std::string>> parse_list(std::string_view text, const Refusals& refusals) {
  std::vector<std::string> paths;
  while (!text.empty()) {
    const auto entry = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), entry.size() + 1));
    if (without_blanks(entry).empty()) continue;
    auto path = plain_path(without_blanks(entry));
    if (!path) return path.error();
    for (const Refused& refused : refusals) {
      const bool hits = refused.with_all_below ? is_at_or_below(*path, refused.directory)
                                               : *path == refused.directory;
      if (hits) return wrong_path(*path, refused.reason);
    }
    if (std::find(paths.begin(), paths.end(), *path) != paths.end()) continue;
    if (paths.size() == shown_paths_max) {
      return Error{ErrorCode::limit_exceeded, "more than 32 paths"};
    }
    paths.push_back(*std::move(path));
  }
  return paths;
}

}  // namespace

bool is_at_or_below(std::string_view path, std::string_view directory) {
  if (directory == "/") return path.starts_with('/');
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

bool HostView::shows_files() const {
  return !paths.empty() || !programs.empty() || !sockets.empty() || system || sessions;
}

bool HostView::empty() const {
  return !shows_files() && !disks && !processes && loopback.empty() && state_bytes == 0;
}

bool HostView::is_for(RunKind kind) const {
  return kind == RunKind::health_check ? for_health_checks : for_automation;
}

Result<std::vector<std::string>> parse_shown_paths(std::string_view text) {
  return parse_list(text, refused_paths);
}

Result<std::vector<std::string>> parse_shown_sockets(std::string_view text) {
  return parse_list(text, refused_sockets);
}

Result<std::vector<std::uint16_t>> parse_loopback_ports(std::string_view text,
                                                        std::string_view services) {
  std::vector<std::uint16_t> ports;
  while (!text.empty()) {
    const auto entry = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), entry.size() + 1));
    const auto word = without_blanks(entry);
    if (word.empty()) continue;
    auto port = port_number(word);
    if (!port) port = port_of_service(word, services);
    if (!port) return port.error();
    if (std::find(ports.begin(), ports.end(), *port) != ports.end()) continue;
    if (ports.size() == loopback_ports_max) {
      return Error{ErrorCode::limit_exceeded, "more than 16 ports"};
    }
    ports.push_back(*port);
  }
  return ports;
}

Result<std::uint64_t> parse_state_size(std::string_view text) {
  constexpr std::uint64_t page = 4U << 10U;
  const auto whole = without_blanks(text);
  if (whole.empty() || whole == "none") return std::uint64_t{0};
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(whole.data(), whole.data() + whole.size(), number);
  const auto unit =
      without_blanks(whole.substr(static_cast<std::size_t>(parsed.ptr - whole.data())));
  const unsigned shift = unit == "MiB" ? 20U : unit == "KiB" ? 10U : 0U;
  const bool is_size = parsed.ec == std::errc{} && (shift != 0 || unit.empty());
  if (!is_size) return wrong_path(whole, "is no size: write it as 1MiB, 64KiB, or none");
  // Compared before it is shifted, which could overflow.
  if (number > state_size_max.value >> shift || number << shift < state_size_min.value) {
    return wrong_path(whole, "must be from 4KiB to 64MiB");
  }
  return ((number << shift) + page - 1) / page * page;
}

std::string state_size_text(std::uint64_t bytes) {
  constexpr std::uint64_t mebibyte = 1U << 20U;
  return bytes % mebibyte == 0 ? std::to_string(bytes >> 20U) + "MiB"
                               : std::to_string(bytes >> 10U) + "KiB";
}

Result<void> parse_kinds(std::string_view text, HostView& view) {
  view.for_health_checks = view.for_automation = false;
  while (!text.empty()) {
    const auto entry = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), entry.size() + 1));
    const auto word = without_blanks(entry);
    if (word == "health-check") {
      view.for_health_checks = true;
    } else if (word == "automation") {
      view.for_automation = true;
    } else if (!word.empty()) {
      return wrong_path(word, "is neither health-check nor automation");
    }
  }
  return {};
}

Result<void> check_own_paths(const HostView& view, const std::vector<std::string>& own) {
  for (const auto* list : {&view.paths, &view.programs, &view.sockets}) {
    for (const auto& path : *list) {
      for (const auto& mine : own) {
        if (mine.empty() || (!is_at_or_below(path, mine) && !is_at_or_below(mine, path))) continue;
        return wrong_path(path,
                          "would show " + mine +
                              ", which is the satellite's own; name "
                              "something beside it",
                          ErrorCode::not_permitted);
      }
    }
  }
  return {};
}

std::string_view warning_of_socket(std::string_view path) {
  const auto name = path.substr(path.rfind('/') + 1);
  for (const auto& known : known_sockets) {
    if (known.name == name) return known.warning;
  }
  return {};
}

std::string_view warning_of_port(std::uint16_t port) {
  for (const auto& known : known_ports) {
    if (known.port == port) return known.warning;
  }
  return {};
}

}  // namespace satellite::sandbox
