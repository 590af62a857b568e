#pragma once

#include "agent/checks/secret_fetch.hpp"
#include "agent/config/config.hpp"
#include "agent/dispatch/dispatcher.hpp"
#include "agent/intake/offline_cache.hpp"
#include "agent/intake/relayed_policy.hpp"
#include "agent/packages/script_packages.hpp"
#include "agent/runtime/log.hpp"
#include "agent/schedule/scheduler.hpp"
#include "protocol/core_messages.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <utility>

namespace satellite::agent {

/// What the session does after a message.
enum class SessionVerdict {
  go_on,
  authenticated,
  unauthorised,            ///< the core refused the credentials
  shut_down,               ///< the core told us to stop
  registration_confirmed,  ///< the core answered the registration probe
};

/// What was made of a frame.
struct ReadFrame {
  Result<protocol::CoreMessage> message;
  bool refuses_policy = false;  ///< no message, and a policy was in it
  std::string set_json = {};    ///< the text of its assignments, for the offline cache
};

/// One message -> its owner. Knows the owner of each kind of message, decides nothing else.
///
/// Shape:  what cannot be understood is counted and logged once per kind, so that a core cannot
///         fill our log; what was announced as an extension is ignored unless it was negotiated.
class Inbox {
 public:
  struct Owners {
    RelayedPolicy& policy;
    Dispatcher& dispatcher;
    Scheduler& scheduler;
    SecretFetch& secrets;
    ScriptPackages& packages;
    Outbox& outbox;
    OfflineCache& offline;
  };
  Inbox(Log& log, const Config& config, Owners owners)
      : log_(log), config_(config), owners_(owners) {}
  ~Inbox();

  /// A frame as it came; bounds depend on whether this connection is authenticated. A large one is
  /// read on a thread of its own, so that nothing else has to wait meanwhile. It is wiped
  /// afterwards, since it may carry secrets.
  boost::asio::awaitable<SessionVerdict> receive(std::string frame);
  void connection_made(std::string core_url) { core_url_ = std::move(core_url); }
  void connection_lost();
  /// What an earlier process kept; nothing of it once a core has spoken.
  void restore(OfflineCache::Restored restored);
  /// What the core sent last is larger than we read: the connection ends by it.
  void frame_too_large() { owners_.packages.frame_too_large(); }
  /// Waits for the thread of large frames, whose frame belongs to a suspended receive().
  void join_reader();
  /// The answer to this request says that the core still has this satellite registered.
  void expect_registration_answer(RequestId id);

 private:
  SessionVerdict take(ReadFrame read);
  SessionVerdict deliver(protocol::CoreMessage message);
  SessionVerdict deliver_authenticated(protocol::Authenticated message);
  SessionVerdict deliver_capability_answer(const protocol::CapabilitySecretResponse& message);
  void receive_policy(const std::string& policy_json);
  void take_set(protocol::AssignmentSet set, const protocol::ScriptPackagesStatement& packages);
  SessionVerdict stop_for_core(const protocol::Shutdown& message);
  void note_reply(const Result<void>& taken);
  void note_once(const std::string& event, const std::string& kind, const std::string& text);

  Log& log_;
  const Config& config_;
  Owners owners_;
  boost::asio::thread_pool reader_{1};  ///< touches nothing but the frame it is given
  std::string core_url_;
  std::string set_json_;  ///< of the message that is delivered
  bool was_told_set_ = false;
  bool authenticated_ = false;
  bool script_dispatch_ = false;
  bool result_ack_ = false;
  std::uint64_t invalid_frames_ = 0;
  std::uint64_t mismatched_replies_ = 0;
  std::set<std::string> noted_;
  std::deque<RequestId> registration_requests_;  ///< of this connection, the latest of them
};

}  // namespace satellite::agent
