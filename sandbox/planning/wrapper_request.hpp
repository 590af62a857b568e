#pragma once

#include "sandbox/planning/file_step.hpp"
#include "sandbox/planning/host_paths.hpp"
#include "sandbox/planning/network_decision.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// What an external engine is asked for, in terms that both engines know.
struct WrapperRequest {
  std::string program;  ///< argv[0]
  NetworkDecision network;
  /// The wrapper starts inside the run's network namespace already and must keep it.
  bool enters_network = false;
  std::optional<std::string> filter_file;  ///< nftables ruleset file that nsjail loads by itself
  /// Identity inside the wrapper's user namespace. It hides the supervisor's uid from the script,
  /// but is no drop: with a root supervisor host uid 0 stays behind it.
  std::optional<std::uint64_t> inner_uid, inner_gid;

  bool confined = false;  ///< false: the whole host stays visible and writable
  std::vector<std::string> read_only_before_scratch;
  std::string scratch_directory;
  std::optional<std::string> read_only_after_scratch;  ///< may lie within the scratch directory
  std::string start_directory;

  /// The native engine's view; empty = the reference satellite's, by the paths above.
  std::vector<FileStep> view;
  bool sizes_memory = false;  ///< the wrapper can give a memory file system a size and a mode
  std::string host_name;      ///< that the run is to have; empty = not known
};

/// The descriptors that a wrapper reads files from, behind those that it hands to init.
inline constexpr int wrapper_file_fd_first = 13;

/// What a wrapper is started with.
struct WrapperCommand {
  std::vector<std::string> argv;   ///< up to, and without, the closing `--`
  std::vector<std::string> files;  ///< contents of descriptors, wrapper_file_fd_first and up
};

/// bubblewrap with the native engine's view: each step in bubblewrap's own words.
///
/// Shape:  pure. A link of the host is shown as a link where it leads into a system directory that
///         is shown, else as what it leads to; what not every user of the host may read is left
///         out, since a wrapper that runs as the script could not open it either.
/// Source: bwrap(1) of 0.4 and 0.8; planning/native_plan for the steps.
WrapperCommand bwrap_with_view(const WrapperRequest& request, const HostPaths& host);

/// bubblewrap without that view: the whole host, or the reference satellite's paths. Up to, and
/// without, the closing `--`. Source: reference-satellite 6; bwrap(1).
std::vector<std::string> bwrap_argv(const WrapperRequest& request);

/// nsjail with the same view, a settings file with what is made for the run among the files.
///
/// Shape:  pure; links and what is not public as above. Without a view the whole host is shown,
///         writable. Our launcher adds what only it knows (launcher/process/wrapper_command).
/// Source: nsjail(1) and nsjail's config.proto as of June 2026.
WrapperCommand nsjail_with_view(const WrapperRequest& request, const HostPaths& host);

/// Why nsjail cannot carry the request, or empty: it parts source and target by colons and knows no
/// other way to write one.
std::string nsjail_reason_to_reject(const WrapperRequest& request);

/// Whether a link to this path still leads somewhere: directories of programs and libraries are
/// shown at their own places.
bool is_shown_anyway(const std::string& path);

/// Whether it is one of the empty places that only the native engine covers others with.
bool is_stand_in(const std::string& path);

}  // namespace satellite::sandbox
