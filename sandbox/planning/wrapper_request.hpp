#pragma once

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
};

/// Command lines up to, and without, the closing `--`.
/// Source: the filesystem seed, argument by argument; bwrap(1), nsjail(1).
std::vector<std::string> bwrap_argv(const WrapperRequest& request);
std::vector<std::string> nsjail_argv(const WrapperRequest& request);

}  // namespace satellite::sandbox
