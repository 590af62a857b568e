#include "agent/intake/inbox.hpp"

#include "protocol/decode.hpp"
#include "protocol/negotiation.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <bit>
#include <type_traits>
#include <utility>

namespace satellite::agent {
namespace {

// One line for each of the first few kinds; a core that invents types is one sort of noise.
constexpr std::size_t noted_kinds_max = 64;

}  // namespace

SessionVerdict Inbox::receive(const std::string& frame) {
  auto message = protocol::decode(frame, authenticated_ ? limits::frame_after_authentication
                                                        : limits::frame_before_authentication);
  if (message) return deliver(*std::move(message));
  // The existing core and satellite go on after a bad message; so do we, but visibly. The 1st, 2nd,
  // 4th, 8th … is told, so that a core gone mad does not write our disk full.
  ++invalid_frames_;
  if (std::has_single_bit(invalid_frames_)) {
    log_.warn("frame_invalid", message.error().message,
              {{"error_code", message.error().code}, {"count", invalid_frames_}});
  }
  return SessionVerdict::go_on;
}

void Inbox::connection_lost() {
  authenticated_ = false;
  script_dispatch_ = false;
}

void Inbox::note_once(const std::string& event, const std::string& kind, const std::string& text) {
  if (noted_.size() >= noted_kinds_max || !noted_.insert(event + kind).second) return;
  log_.info(event, text, {{"type", kind}});
}

void Inbox::note_assignments(const protocol::AssignmentSet& assignments) {
  for (const auto& rejected : assignments.rejected) {
    log_.warn("assignment_invalid", rejected.why, {{"index", rejected.index}});
  }
  if (assignments.accepted.empty()) return;
  log_.warn("assignments_not_run",
            "this version runs what the core dispatches; it has no timetable of its own yet",
            {{"assignments", assignments.accepted.size()}});
}

SessionVerdict Inbox::deliver_authenticated(protocol::Authenticated message) {
  if (authenticated_) return SessionVerdict::go_on;  // answered twice, core-contract 1.2
  authenticated_ = true;
  const auto negotiated = protocol::negotiate(message.extensions);
  script_dispatch_ = negotiated.script_dispatch;
  for (const auto& ignored : negotiated.ignored) {
    note_once("extension_ignored", ignored, "this satellite does not know the extension");
  }
  if (message.sandbox_policy_json) policy_.receive(*message.sandbox_policy_json);
  note_assignments(message.assignments);
  log_.info(
      "authenticated", "",
      {{"satellite", message.satellite_id}, {"script_dispatch", script_dispatch_ ? "on" : "off"}});
  outbox_.connection_up(script_dispatch_);
  return SessionVerdict::authenticated;
}

SessionVerdict Inbox::deliver(protocol::CoreMessage message) {
  return std::visit(
      [this](auto&& one) -> SessionVerdict {
        using Message = std::decay_t<decltype(one)>;
        constexpr bool dispatches = std::is_same_v<Message, protocol::RunScript> ||
                                    std::is_same_v<Message, protocol::RejectedRunScript> ||
                                    std::is_same_v<Message, protocol::CancelScript> ||
                                    std::is_same_v<Message, protocol::QueryScript> ||
                                    std::is_same_v<Message, protocol::ScriptAck>;
        if constexpr (std::is_same_v<Message, protocol::Authenticated>) {
          return deliver_authenticated(std::move(one));
        } else if constexpr (std::is_same_v<Message, protocol::AuthFailed>) {
          log_.error("auth_failed", one.reason);
          return SessionVerdict::unauthorised;
        } else if constexpr (std::is_same_v<Message, protocol::Shutdown>) {
          log_.warn("shutdown_received", one.reason);
          return SessionVerdict::shut_down;
        } else if constexpr (std::is_same_v<Message, protocol::SandboxPolicy>) {
          policy_.receive(one.policy_json);
        } else if constexpr (std::is_same_v<Message, protocol::ConfigUpdated>) {
          note_assignments(one.assignments);
        } else if constexpr (dispatches) {
          if (script_dispatch_) {
            dispatcher_.receive(std::move(one));
          } else {
            note_once("message_ignored", "script dispatch",
                      "the core did not declare the extension on this connection");
          }
        } else if constexpr (std::is_same_v<Message, protocol::UnknownMessage>) {
          note_once("message_unknown", one.type, "ignored");
        } else {
          note_once("message_ignored",
                    std::to_string(protocol::CoreMessage(std::move(one)).index()),
                    "nothing here waits for this kind of message");
        }
        return SessionVerdict::go_on;
      },
      std::move(message));
}

}  // namespace satellite::agent
