#pragma once

#include "agent/status/run_statistics.hpp"
#include "protocol/vocabulary/byte_count.hpp"
#include "sandbox/host/readiness.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace satellite::agent {

/// One moment of the last hour.
struct StatusSample {
  std::uint32_t running = 0;  ///< scripts
  std::uint32_t queued = 0;   ///< accepted scripts that wait for a place
  std::uint64_t outbox = 0;   ///< messages that wait for the core
};

/// How a satellite is doing: everything that it tells about itself, collected at one moment. A pure
/// value; status_json, status_text and metrics_text put it into words.
///
/// Units:  as the types say; ages and times to come are relative to that moment.
/// Never:  secrets, scripts, what scripts wrote.
struct Status {
  enum class Connection { connecting, connected, waiting, stopping };
  using Seconds = std::chrono::seconds;

  std::string version;
  std::int64_t process_id = 0;
  std::chrono::system_clock::time_point now{};
  Seconds uptime{0};
  /// Connected, with a valid policy in force, and taking work.
  bool ready = false;

  struct {
    Connection state = Connection::connecting;
    std::string core;
    std::string client_id;
    Seconds since{0};  ///< connected, or disconnected
    std::string peer, tls_version;
    std::string proxy;        ///< through which that is; empty = none
    std::string last_reason;  ///< why the latest attempt failed or connection ended
    std::optional<Seconds> last_reason_age;
    std::optional<std::chrono::milliseconds> next_attempt_in;
    std::uint64_t attempts = 0, failures = 0, authentications = 0, refusals = 0;
    std::uint64_t bytes_sent = 0, bytes_received = 0;
  } connection;

  struct {
    bool is_valid = false;  ///< else runs get the fail-closed profile
    std::optional<Seconds> age;
    std::string in_words;
    std::string problem;                    ///< of a policy that came later and was not valid
    std::vector<std::string> restrictions;  ///< what the operator's word takes away from it
  } policy;

  struct Limit {
    std::string name;  ///< of the setting
    std::string value;
  };
  std::vector<Limit> operators_word, limits;

  struct {
    std::uint64_t running = 0, queued = 0, queue_length = 0;
    std::uint64_t checks_running = 0, checks = 0, checks_skipped = 0;
    RunStatistics statistics;
  } runs;

  struct {
    std::uint64_t messages = 0, in_flight = 0, dropped = 0, streams = 0;
    ByteCount bytes;
    std::optional<Seconds> oldest_age;
    std::string directory;  ///< empty = none
    std::string fault;      ///< `none`, or what is wrong with the disk
    std::string why;
  } outbox;

  struct {
    std::uint64_t sandboxes = 0, runtimes = 0;  ///< that stand ready
  } prepared;

  /// What scripts can be given here, as this satellite found it by its own trials.
  struct Host {
    bool is_enforceable = false;  ///< every layer of the shipped default policy
    std::string guidance;         ///< what to do where it is not
    std::vector<sandbox::CapabilityFinding> findings;  ///< without what it has not tried yet
  };
  std::optional<Host> host;  ///< nothing = it has not looked yet

  struct Degraded {
    std::string name;  ///< one of degraded_names
    std::string why;
  };
  std::vector<Degraded> degraded;

  std::vector<StatusSample> history;  ///< the oldest first
  Seconds history_every{0};
};

/// Every state that `degraded` may name: each is a series of its own, also while it is not there.
inline constexpr const char* degraded_names[] = {"not_connected",
                                                 "policy_missing",
                                                 "policy_invalid",
                                                 "policy_expired",
                                                 "outbox",
                                                 "sandbox",
                                                 "run_unkillable",
                                                 "messages_dropped",
                                                 "connection_unstable",
                                                 "duplicate_identity",
                                                 "no_descriptors",
                                                 "no_memory",
                                                 "no_processes",
                                                 "offline_cache_missing",
                                                 "offline_cache_unwritable"};

const char* name_of(Status::Connection state);

/// For people: what is wrong first, then the rest. Lines end with a line break; what came from
/// outside cannot forge one.
std::string status_text(const Status& status);
/// One JSON object; its keys are an interface.
std::string status_json(const Status& status);
/// Source: https://prometheus.io/docs/instrumenting/exposition_formats "Text-based format" 0.0.4.
std::string metrics_text(const Status& status);

}  // namespace satellite::agent
