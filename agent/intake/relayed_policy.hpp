#pragma once

#include "agent/config/config.hpp"
#include "agent/runtime/log.hpp"
#include "sandbox/policy/policy_provider.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace satellite::agent {

/// The cluster's policy as the core relays it, made the active provider.
///
/// Shape:  a valid policy replaces the one before and is kept across disconnects for the life of
///         the process, never on disk. One that is invalid changes nothing: the last valid one
///         stays in force, and the log and every report say so until a valid one arrives. Where
///         none ever was valid, every run gets the fail-closed profile. A push can therefore never
///         loosen what holds by being wrong.
/// Source: core-contract 1.7; reference-satellite 2.
class RelayedPolicy {
 public:
  RelayedPolicy(sandbox::PolicyProvider& provider, Log& log, const Config& config)
      : provider_(provider), log_(log), config_(config) {}

  void receive(const std::string& policy_json);
  /// One came that could not even be read.
  void refuse(const Error& error);

  /// For whoever asks how the satellite is doing.
  struct State {
    bool has_valid = false;  ///< else runs get the fail-closed profile
    std::optional<std::chrono::steady_clock::time_point> accepted_at;
    std::string in_words;
    std::string problem;                    ///< of a policy that came later and is not valid
    std::vector<std::string> restrictions;  ///< by the operator's word
  };
  State state() const;

 private:
  void accept(const sandbox::Policy& policy);

  sandbox::PolicyProvider& provider_;
  Log& log_;
  const Config& config_;
  std::optional<sandbox::Policy> last_valid_;
  std::optional<std::chrono::steady_clock::time_point> accepted_at_;
  std::string problem_;
};

}  // namespace satellite::agent
