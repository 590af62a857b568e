#pragma once

#include "protocol/dispatch_messages.hpp"
#include "protocol/vocabulary/ids.hpp"
#include "protocol/vocabulary/secret.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace satellite::protocol {

/// What the agent says: one struct per message, and the variant of them all.
///
/// Shape:  optional members that are absent are left out of the frame, except where the core wants
///         an explicit `null`. `_json` members must hold one JSON value; encode puts `null` in
///         place of anything else.
/// Source: core-contract 1.3, 2.3; dispatch-extension.

enum class HealthStatus { healthy, unhealthy, degraded };
enum class PackageSyncStatus { pending, syncing, ready, error };

struct Authenticate {
  std::string client_id;
  Secret token;
  std::vector<std::string> capabilities;  ///< left out when empty
};

struct Heartbeat {
  std::string version;
  std::chrono::seconds uptime{0};         ///< since the process started, not since it connected
  std::vector<std::string> capabilities;  ///< left out when empty
};

/// One finished check (`result` on the wire; the name Result is taken).
struct CheckResult {
  std::optional<std::string> result_id;  ///< with result-ack/1: stable across resends and restarts
  ConfigId config_id;
  SystemId system_id;
  std::optional<std::string> environment_id;  ///< nothing is sent as `null`
  HealthStatus status = HealthStatus::unhealthy;
  std::optional<std::chrono::milliseconds> latency;
  std::chrono::system_clock::time_point executed_at{};
  std::optional<std::string> result_json;
};

struct StrategyError {
  std::string strategy_id;
  std::string message;
};

struct ScriptPackageSyncState {
  std::optional<std::string> lockfile_hash;  ///< nothing is sent as `null`
  PackageSyncStatus status = PackageSyncStatus::syncing;
  std::optional<std::string> error_message;
};

struct RequestScriptPackageManifest {
  std::string lockfile_hash;
};

struct RequestScriptPackageBlob {
  std::string integrity;
};

struct RequestRunSecrets {
  RequestId request_id;
  ConfigId config_id;
  std::string collector_id;  ///< the entry's id
  std::string run_id;        ///< a fresh UUID, for the core's audit only
};

struct RequestConfigSecrets {
  RequestId request_id;
  ConfigId config_id;
  std::string run_id;
};

struct TelemetryBatch {
  std::string batch_id;
  std::string kind;
  std::string payload_json;
  std::map<std::string, std::uint64_t> dropped_by_group;  ///< left out when empty
};

struct CapabilityStatus {
  std::string kind;
  std::string payload_json;
};

struct CapabilitySecretRequest {
  RequestId request_id;
  std::string kind;
  std::string payload_json;
};

using AgentMessage =
    std::variant<Authenticate, Heartbeat, CheckResult, StrategyError, ScriptPackageSyncState,
                 RequestScriptPackageManifest, RequestScriptPackageBlob, RequestRunSecrets,
                 RequestConfigSecrets, TelemetryBatch, CapabilityStatus, CapabilitySecretRequest,
                 ScriptAccepted, ScriptRejected, ScriptStarted, ScriptOutput, ScriptFinished,
                 ScriptStatus>;

}  // namespace satellite::protocol
