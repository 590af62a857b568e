#pragma once

#include "protocol/agent_messages.hpp"
#include "protocol/core_messages.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>

namespace satellite::devcore {

/// The script packages that this core has, and how it misbehaves with them.
///
/// Shape:  a list for a hash that it does not have is answered with an empty one, as the existing
///         core does.
struct PackageShelf {
  /// What `authenticated` and `config_updated` say: nothing at all, none, or a hash.
  protocol::ScriptPackagesStatement statement;
  std::map<std::string, protocol::ScriptPackageManifest> manifests;  ///< by lockfile hash
  std::map<std::string, std::string> blobs;                          ///< bytes, by integrity
  std::set<std::string> cut;     ///< the connection breaks within this blob, once
  std::set<std::string> silent;  ///< hashes and integrities that are never answered
};

/// What answers a request; nothing if the message is none, or gets no answer.
struct PackageReply {
  std::string frame;
  bool is_cut = false;  ///< only a part of it arrives
};
std::optional<PackageReply> package_reply(PackageShelf& shelf,
                                          const protocol::AgentMessage& message);

}  // namespace satellite::devcore
