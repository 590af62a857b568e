#pragma once

#include "agent/connection/core_url.hpp"
#include "agent/connection/websocket_link.hpp"
#include "protocol/vocabulary/secret.hpp"

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace satellite::agent {

/// One step of the way to a core, as `doctor` and `enrol` tell it.
struct WayStep {
  enum class State { done, failed, not_tried };
  std::string name;  ///< trust, dns, tcp, proxy, tls, upgrade, clock, token
  State state = State::not_tried;
  std::string detail;  ///< what was found, or the cause
  std::string remedy;  ///< empty = nothing to do
};

/// Who asks the core whether it knows him.
struct WayCredentials {
  std::string client_id;
  Secret token;
  std::vector<std::string> capabilities;
};

/// What the core answered to the token.
struct TokenAnswer {
  enum class Kind { known, refused, missing };
  Kind kind = Kind::missing;
  std::string why;  ///< the core's reason, or what failed
};

/// What to do where a core refuses id or token.
extern const char* const refused_token_remedy;

/// What a whole attempt showed.
struct WayTrial {
  ConnectStage stage = ConnectStage::upgrade;
  std::optional<Error> failure;
  LinkFacts facts;
  std::optional<TokenAnswer> token;  ///< nothing = was not asked
  bool has_begun = true;             ///< false: `failure` was known before anything was tried
};

/// Connects once, asks about the token where there is one to ask about, and closes.
///
/// Shape:  a satellite that is connected with the same id loses its connection to this one: a core
///         keeps one for each id.
/// Errors: none of its own: what failed is the answer.
boost::asio::awaitable<WayTrial> try_way(CoreAddress core, LinkSettings settings,
                                         std::optional<WayCredentials> credentials,
                                         std::chrono::steady_clock::time_point deadline);

/// The trial step by step, each with cause and remedy. Pure.
std::vector<WayStep> steps_of(const WayTrial& trial, const CoreAddress& core,
                              std::chrono::system_clock::time_point now);

/// Whether every step that was tried is done.
bool leads_there(const std::vector<WayStep>& steps);

}  // namespace satellite::agent
