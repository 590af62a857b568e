#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/report/run_request.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// What the local operator lets scripts see of this host beyond what every script sees. No core can
/// set any of it.
///
/// Shape:  paths are absolute, without `.`, `..`, doubled or trailing slashes; each stands once.
struct HostView {
  std::vector<std::string> paths;       ///< files and directories, read-only, nothing executed
  std::vector<std::string> programs;    ///< the same, to be executed
  std::vector<std::string> sockets;     ///< single unix sockets
  std::vector<std::uint16_t> loopback;  ///< TCP ports of services on 127.0.0.1 and ::1
  bool disks = false;                   ///< local file systems: sizes, no content
  bool processes = false;               ///< the host's /proc
  bool system = false;                  ///< /sys
  bool sessions = false;                ///< who is logged in
  std::uint64_t state_bytes = 0;        ///< what a check may keep between its runs; 0 = nothing
  bool for_health_checks = true, for_automation = false;
  /// What no grant may show: the satellite's state, settings, token and scratch directories.
  std::vector<std::string> own;

  bool empty() const;
  bool shows_files() const;
  /// Whether runs of this kind see it.
  bool is_for(RunKind kind) const;
  bool operator==(const HostView&) const = default;
};

/// In each list.
inline constexpr std::size_t shown_paths_max = 32;

/// Paths with commas between them, as `host_view.paths` has them.
///
/// Errors: invalid_input for what is no absolute path and for directories whose content must not
///         be given away as a whole (`/`, `/proc`, `/run`, …), with the remedy; limit_exceeded.
Result<std::vector<std::string>> parse_shown_paths(std::string_view text);
/// The same for single sockets, which may lie in some of those directories.
Result<std::vector<std::string>> parse_shown_sockets(std::string_view text);

inline constexpr std::size_t loopback_ports_max = 16;

/// Ports with commas between them, as numbers or by their names in `services`, the text of
/// services(5).
///
/// Errors: invalid_input for what is no port, and for a name that has no TCP port there or two;
///         limit_exceeded.
Result<std::vector<std::uint16_t>> parse_loopback_ports(std::string_view text,
                                                        std::string_view services);

/// `1MiB`, `64KiB` or bytes, whole pages of 4 KiB; `none` or nothing = 0.
/// Errors: invalid_input for what is no size, or one out of bounds (sandbox/state).
Result<std::uint64_t> parse_state_size(std::string_view text);
/// The same backwards.
std::string state_size_text(std::uint64_t bytes);

/// `health-check`, `automation` or both. Errors: invalid_input.
Result<void> parse_kinds(std::string_view text, HostView& view);

/// What the satellite keeps for itself, which no script may see: `own` and everything below it.
/// Errors: not_permitted for a path that is one of these, lies in one or holds one.
Result<void> check_own_paths(const HostView& view, const std::vector<std::string>& own);

/// Whether `path` is `directory` or lies below it. Both without trailing slashes, but for `/`.
bool is_at_or_below(std::string_view path, std::string_view directory);

/// What somebody gives away with such a socket or port, in words; empty where that is not known.
std::string_view warning_of_socket(std::string_view path);
std::string_view warning_of_port(std::uint16_t port);

}  // namespace satellite::sandbox
