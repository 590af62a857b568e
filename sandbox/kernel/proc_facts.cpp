#include "sandbox/kernel/proc_facts.hpp"

#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>
#include <optional>

namespace satellite::sandbox::kernel {
namespace {

Error broken(std::string_view what) {
  return Error{ErrorCode::invalid_input, "cannot read " + std::string(what) + " from /proc"};
}

/// The next word of `text`, which is shortened; empty at the end of the line.
std::string_view next_word(std::string_view& text) {
  const auto start = text.find_first_not_of(" \t");
  if (start == std::string_view::npos) return text = {}, std::string_view{};
  text.remove_prefix(start);
  const auto word = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(word.size());
  return word;
}

template <typename Number>
std::optional<Number> number_of(std::string_view word, int base = 10) {
  Number number{};
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), number, base);
  if (parsed.ec != std::errc{} || parsed.ptr != word.data() + word.size()) return std::nullopt;
  return number;
}

std::optional<std::string_view> line_named(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    std::string_view line = next_line(text);
    if (line.substr(0, name.size()) == name) return line.substr(name.size());
  }
  return std::nullopt;
}

template <typename Number>
std::optional<Number> field(std::string_view text, std::string_view name, int base = 10) {
  auto line = line_named(text, name);
  if (!line) return std::nullopt;
  return number_of<Number>(next_word(*line), base);
}

bool read_ids(std::string_view text, std::string_view name, std::array<std::uint32_t, 4>& ids) {
  auto line = line_named(text, name);
  if (!line) return false;
  for (auto& id : ids) {
    const auto number = number_of<std::uint32_t>(next_word(*line));
    if (!number) return false;
    id = *number;
  }
  return true;
}

/// mountinfo writes space, tab, newline and backslash as octal escapes.
std::string unescape(std::string_view word) {
  std::string plain;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] == '\\' && i + 3 < word.size()) {
      if (const auto code = number_of<unsigned>(word.substr(i + 1, 3), 8)) {
        plain += static_cast<char>(*code);
        i += 3;
        continue;
      }
    }
    plain += word[i];
  }
  return plain;
}

bool has_option(std::string_view options, std::string_view option) {
  while (!options.empty()) {
    const auto one = options.substr(0, options.find(','));
    if (one == option) return true;
    options.remove_prefix(std::min(options.size(), one.size() + 1));
  }
  return false;
}

std::optional<std::uint64_t> limit_of(std::string_view word) {
  if (word == "unlimited") return std::numeric_limits<std::uint64_t>::max();
  return number_of<std::uint64_t>(word);
}

}  // namespace

std::string_view next_line(std::string_view& text) {
  const auto line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

Result<bool> parse_is_exiting(std::string_view stat) {
  constexpr std::uint64_t exiting = 0x4;
  constexpr int fields_before_flags = 6;  // of those that follow the name
  // The name may hold anything, spaces and brackets among it, but only the last bracket ends it.
  const auto name_end = stat.rfind(") ");
  if (name_end == std::string_view::npos) return broken("the flags of a process");
  std::string_view rest = stat.substr(name_end + 2);
  for (int i = 0; i < fields_before_flags; ++i) {
    const auto space = rest.find(' ');
    if (space == std::string_view::npos) return broken("the flags of a process");
    rest.remove_prefix(space + 1);
  }
  std::uint64_t flags = 0;
  const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), flags);
  if (parsed.ec != std::errc()) return broken("the flags of a process");
  return (flags & exiting) != 0;
}

Result<std::string> read_small_file(int directory_fd, const std::string& path,
                                    std::size_t size_max) {
  const UniqueFd fd(::openat(directory_fd, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return error_from_errno("open " + path, errno);
  std::string text(4'096, '\0');
  std::size_t used = 0;
  for (;;) {
    const ssize_t size = ::read(fd.get(), text.data() + used, text.size() - used);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return error_from_errno("read " + path, errno);
    if (size == 0) break;
    used += static_cast<std::size_t>(size);
    if (used > size_max) return Error{ErrorCode::limit_exceeded, path + " is too long"};
    if (used == text.size()) text.resize(text.size() * 4);
  }
  text.resize(used);
  return text;
}

Result<ProcessStatus> parse_status(std::string_view text) {
  ProcessStatus status;
  const auto parent = field<std::int32_t>(text, "PPid:");
  if (!parent) return broken("PPid");
  status.parent = *parent;
  if (!read_ids(text, "Uid:", status.uid)) return broken("Uid");
  if (!read_ids(text, "Gid:", status.gid)) return broken("Gid");
  auto groups = line_named(text, "Groups:");
  if (!groups) return broken("Groups");
  for (auto word = next_word(*groups); !word.empty(); word = next_word(*groups)) {
    const auto group = number_of<std::uint32_t>(word);
    if (!group) return broken("Groups");
    status.groups.push_back(*group);
  }
  constexpr std::array<std::string_view, 5> sets{
      "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"};
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const auto set = field<std::uint64_t>(text, sets[i], 16);
    if (!set) return broken(sets[i]);
    status.capabilities[i] = *set;
  }
  const auto locked = field<std::uint32_t>(text, "NoNewPrivs:");
  if (!locked) return broken("NoNewPrivs");
  status.no_new_privileges = *locked == 1;
  status.seccomp_mode = field<std::uint32_t>(text, "Seccomp:").value_or(0);
  status.seccomp_filters = field<std::uint32_t>(text, "Seccomp_filters:").value_or(0);
  return status;
}

Result<std::vector<MountEntry>> parse_mountinfo(std::string_view text) {
  std::vector<MountEntry> mounts;
  while (!text.empty()) {
    std::string_view line = next_line(text);
    MountEntry mount;
    const auto id = number_of<std::uint64_t>(next_word(line));
    const auto parent = number_of<std::uint64_t>(next_word(line));
    if (!id || !parent) return broken("mountinfo");
    mount.id = *id;
    mount.parent = *parent;
    mount.device = std::string(next_word(line));
    mount.root = unescape(next_word(line));
    mount.target = unescape(next_word(line));
    const auto options = next_word(line);
    mount.read_only = has_option(options, "ro");
    mount.no_suid = has_option(options, "nosuid");
    mount.no_device = has_option(options, "nodev");
    auto word = next_word(line);
    while (!word.empty() && word != "-") word = next_word(line);  // optional fields
    mount.type = std::string(next_word(line));
    next_word(line);  // the source
    mount.options = std::string(next_word(line));
    if (mount.target.empty() || mount.type.empty()) return broken("mountinfo");
    mounts.push_back(std::move(mount));
  }
  if (mounts.empty()) return broken("mountinfo");
  return mounts;
}

bool is_covered(const MountEntry& mount, const std::vector<MountEntry>& all) {
  // A path that begins at a root does not cross into what is mounted on it.
  if (mount.target == "/") return false;
  return std::any_of(all.begin(), all.end(), [&mount](const MountEntry& other) {
    return other.parent == mount.id && other.target == mount.target;
  });
}

bool every_mount_propagates(std::string_view mountinfo) {
  constexpr int fields_before_optional = 6;
  if (mountinfo.empty()) return false;
  while (!mountinfo.empty()) {
    std::string_view line = next_line(mountinfo);
    for (int skipped = 0; skipped < fields_before_optional; ++skipped) next_word(line);
    bool propagates = false;
    for (auto word = next_word(line); !word.empty() && word != "-"; word = next_word(line)) {
      propagates = propagates || word.starts_with("shared:") || word.starts_with("master:");
    }
    if (!propagates) return false;
  }
  return true;
}

Result<std::vector<std::string>> parse_interfaces(std::string_view text) {
  std::vector<std::string> names;
  next_line(text);
  if (text.empty()) return broken("net/dev");
  next_line(text);
  while (!text.empty()) {
    std::string_view line = next_line(text);
    const auto name = next_word(line);
    const auto colon = name.find(':');
    if (colon == std::string_view::npos) return broken("net/dev");
    names.emplace_back(name.substr(0, colon));
  }
  return names;
}

Result<LimitPair> find_limit(std::string_view text, std::string_view name) {
  auto line = line_named(text, name);
  if (!line) return broken(name);
  const auto soft = limit_of(next_word(*line));
  const auto hard = limit_of(next_word(*line));
  if (!soft || !hard) return broken(name);
  return LimitPair{*soft, *hard};
}

}  // namespace satellite::sandbox::kernel
