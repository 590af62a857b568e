#pragma once

#include "protocol/agent_messages.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace satellite::devcore {

/// What this core knows of secrets: the members of its reply, as JSON text without the braces.
///
/// Shape:  keys are `CONFIG/ENTRY` for a run's secrets and `CONFIG` for a configuration's; the
///         empty text is a core that never answers, a missing key one that has no such assignment.
struct SecretReplies {
  std::map<std::string, std::string> run;     ///< `"env":{"API_TOKEN":"value"}`
  std::map<std::string, std::string> config;  ///< `"strategy":{},"collectors":{"c1":{"a":"v"}}`
  bool answers_probes = true;                 ///< to requests for a capability nobody has
};

/// The frame that answers `message`; nothing if it asks for nothing or gets no answer.
std::optional<std::string> secret_reply(const SecretReplies& replies,
                                        const protocol::AgentMessage& message);

/// Every text in the replies that a transcript must not show.
std::vector<std::string> texts_to_hide(const SecretReplies& replies);

/// `{"run":{"CONFIG/ENTRY":{…}},"config":{"CONFIG":{…}}}` as a file holds it.
SecretReplies secret_replies_from(const std::string& json_text);

}  // namespace satellite::devcore
