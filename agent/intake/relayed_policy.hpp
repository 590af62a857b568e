#pragma once

#include "agent/config/config.hpp"
#include "agent/intake/policy_age.hpp"
#include "agent/runtime/degraded_states.hpp"
#include "agent/runtime/log.hpp"
#include "sandbox/policy/policy_provider.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace satellite::agent {

/// The cluster's policy as the core relays it, made the active provider.
///
/// Shape:  a valid policy replaces the one before and is kept across disconnects for the life of
///         the process, at most for offline.max_policy_age; on disk only in the offline cache. One
///         that is invalid changes nothing: the last valid one stays in force, and the log and
///         every report say so until a valid one arrives. Where none ever was valid, or the core
///         was away for too long, every run gets the fail-closed profile. A push can therefore
///         never loosen what holds by being wrong.
/// Source: core-contract 1.7; reference-satellite 2; agent/README.md "Offline".
class RelayedPolicy {
 public:
  RelayedPolicy(boost::asio::io_context& context, sandbox::PolicyProvider& provider, Log& log,
                const Config& config, DegradedStates& degraded)
      : provider_(provider),
        log_(log),
        config_(config),
        degraded_(degraded),
        age_(config.policy_age_max),
        alarm_(context) {}

  /// True if it is valid, and in force from now on.
  bool receive(const std::string& policy_json);
  /// One came that could not even be read.
  void refuse(const Error& error);
  /// What an earlier process kept, and how long that was not the core's word.
  void restore(const std::string& policy_json, std::chrono::seconds age);
  void connection_lost();

  bool was_received() const { return last_valid_.has_value(); }

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
  void watch_age();
  Error expired() const;

  sandbox::PolicyProvider& provider_;
  Log& log_;
  const Config& config_;
  DegradedStates& degraded_;
  PolicyAge age_;
  boost::asio::steady_timer alarm_;
  std::optional<sandbox::Policy> last_valid_;
  std::optional<std::chrono::steady_clock::time_point> accepted_at_;
  std::string problem_;
  std::uint64_t refused_ = 0;  ///< pushes since then
};

}  // namespace satellite::agent
