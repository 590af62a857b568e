#pragma once

#include "protocol/dispatch_messages.hpp"
#include "protocol/vocabulary/ids.hpp"
#include "protocol/vocabulary/secret.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace satellite::protocol {

/// What the core says: one struct per message, and the variant of them all.
///
/// Shape:  move-only where a message carries secrets. `_json` members hold the JSON text as it
///         stood in the frame: member order and number spelling matter to scripts (core-contract
///         3.3, 7).
/// Source: core-contract 1.4, 2.1; dispatch-extension.

/// One check on a timer, as relayed: neither migrated, nor defaulted, nor scheduled yet.
struct Assignment {
  ConfigId config_id;
  SystemId system_id;
  std::string strategy_id;                   ///< qualified `<pluginId>.<strategyId>`
  std::chrono::duration<double> interval{};  ///< any number; the scheduler owns the floor
  std::optional<std::string> config_name, system_name;
  std::string config_json;           ///< an object
  std::string collectors_json;       ///< an array of entries of checked shape
  std::string environments_json;     ///< an array of entries of checked shape
  std::string system_metadata_json;  ///< an object
  bool operator==(const Assignment&) const = default;
};

struct RejectedAssignment {
  std::size_t index = 0;  ///< position in the message
  std::string why;        ///< the JSON path within it and the rule, never a value or its position
  // As far as they could be read; empty where not.
  std::string strategy_id = {}, config_id = {}, system_id = {};
  std::vector<std::string> environment_ids = {};
  bool operator==(const RejectedAssignment&) const = default;
};

/// A full set, already sorted into what can be used and what cannot.
struct AssignmentSet {
  std::vector<Assignment> accepted;
  std::vector<RejectedAssignment> rejected;
};

/// What a message says about script packages: nothing, "there are none", or the hash of a tree.
struct ScriptPackagesStatement {
  bool made = false;
  std::optional<std::string> lockfile_hash;
};

struct Authenticated {
  std::string satellite_id;
  AssignmentSet assignments;
  ScriptPackagesStatement script_packages;
  /// Absent = the core said nothing. Present = any JSON value, not judged here: the sandbox rejects
  /// what is no policy, and rejecting must reach it, because that is what closes the door.
  std::optional<std::string> sandbox_policy_json;
  std::vector<std::string> extensions;  ///< see negotiation.hpp
};

struct AuthFailed {
  std::string reason;
};

struct ConfigUpdated {
  AssignmentSet assignments;
  ScriptPackagesStatement script_packages;
};

struct Shutdown {
  std::string reason;
};

/// Replaces the policy in force. A message without `policy` arrives here as `null`: a policy that
/// is missing from the one message made for it is an invalid policy, not a message to drop.
struct SandboxPolicy {
  std::string policy_json;
};

struct RefreshScriptPackages {
  std::string lockfile_hash;
};

struct ScriptPackage {
  std::string name, version, integrity;
  std::optional<std::string> blob_sha256;
};

struct ScriptPackageManifest {
  std::string lockfile_hash;
  std::vector<ScriptPackage> entries;
};

struct ScriptPackageBlob {
  std::string integrity;
  std::optional<std::string> data_base64;  ///< nothing = the core does not have it
};

/// A reply to request_run_secrets: either values or an error text.
struct RunSecrets {
  RequestId request_id;
  std::optional<std::map<std::string, Secret>> environment;
  std::optional<std::string> error;
};

/// A reply to request_config_secrets; paths such as `targets[0].token` name places in a config.
struct ConfigSecrets {
  RequestId request_id;
  std::optional<std::map<std::string, Secret>> strategy;
  std::optional<std::map<std::string, std::map<std::string, Secret>>> collectors;
  std::optional<std::string> error;
};

struct TelemetryAck {
  std::string batch_id;
  double accepted = 0, rejected = 0;
  bool retryable = false;
};

struct CapabilityConfig {
  std::string kind;
  std::string payload_json;
};

struct CapabilitySecretResponse {
  RequestId request_id;
  std::optional<Secret> payload_json;
  std::optional<std::string> error;
};

/// A type that this version does not know: to be counted and ignored.
struct UnknownMessage {
  std::string type;  ///< shortened and masked, fit for a log line
};

using CoreMessage = std::variant<Authenticated, AuthFailed, ConfigUpdated, Shutdown, SandboxPolicy,
                                 RefreshScriptPackages, ScriptPackageManifest, ScriptPackageBlob,
                                 RunSecrets, ConfigSecrets, TelemetryAck, CapabilityConfig,
                                 CapabilitySecretResponse, RunScript, RejectedRunScript,
                                 CancelScript, ScriptAck, QueryScript, ResultAck, UnknownMessage>;

}  // namespace satellite::protocol
