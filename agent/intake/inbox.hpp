#pragma once

#include "agent/dispatch/dispatcher.hpp"
#include "agent/policy/relayed_policy.hpp"
#include "agent/runtime/log.hpp"
#include "protocol/core_messages.hpp"

#include <cstdint>
#include <set>
#include <string>

namespace satellite::agent {

/// What the session does after a message.
enum class SessionVerdict {
  go_on,
  authenticated,
  unauthorised,  ///< the core refused the credentials
  shut_down,     ///< the core told us to stop
};

/// One message -> its owner. Knows who owns what, decides nothing else.
///
/// Shape:  what cannot be understood is counted and logged once per kind, so that a core cannot
/// fill
///         our log; what was announced as an extension is ignored unless it was negotiated.
class Inbox {
 public:
  Inbox(Log& log, RelayedPolicy& policy, Dispatcher& dispatcher, Outbox& outbox)
      : log_(log), policy_(policy), dispatcher_(dispatcher), outbox_(outbox) {}

  /// A frame as it came; bounds depend on whether this connection is authenticated.
  SessionVerdict receive(const std::string& frame);
  void connection_lost();

 private:
  SessionVerdict deliver(protocol::CoreMessage message);
  SessionVerdict deliver_authenticated(protocol::Authenticated message);
  void note_assignments(const protocol::AssignmentSet& assignments);
  void note_once(const std::string& event, const std::string& kind, const std::string& text);

  Log& log_;
  RelayedPolicy& policy_;
  Dispatcher& dispatcher_;
  Outbox& outbox_;
  bool authenticated_ = false;
  bool script_dispatch_ = false;
  std::uint64_t invalid_frames_ = 0;
  std::set<std::string> noted_;
};

}  // namespace satellite::agent
