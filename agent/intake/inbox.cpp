#include "agent/intake/inbox.hpp"

#include "protocol/decode.hpp"
#include "protocol/negotiation.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <algorithm>
#include <bit>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <type_traits>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;

namespace {

// One line for each of the first few kinds; a core that invents types is one sort of noise.
constexpr std::size_t noted_kinds_max = 64;
// A late answer may still belong to one of these.
constexpr std::size_t registration_requests_max = 8;
// Smaller ones are read within the time that handing them over would take twice.
constexpr std::size_t large_frame = 64U << 10U;

/// How a frame is read.
struct Reading {
  const JsonBounds& bounds;
  bool keeps_set = false;
};

bool brings_set(const protocol::CoreMessage& message) {
  return std::holds_alternative<protocol::Authenticated>(message) ||
         std::holds_alternative<protocol::ConfigUpdated>(message);
}

void read(std::string& frame, const Reading& reading, std::optional<ReadFrame>& into) {
  into.emplace(ReadFrame{protocol::decode(frame, reading.bounds)});
  if (!into->message) into->refuses_policy = protocol::pushes_policy(frame);
  if (reading.keeps_set && into->message && brings_set(*into->message)) {
    into->set_json = protocol::assignments_of(frame).value_or("[]");
  }
  wipe(frame);
  frame.shrink_to_fit();  // here rather than on the event loop: millions of bytes are given back
}

/// The same, for the thread of large frames; the caller waits, so that what it borrows stays.
asio::awaitable<void> read_elsewhere(std::string& frame, const Reading& how,
                                     std::optional<ReadFrame>& into) {
  read(frame, how, into);
  co_return;
}

}  // namespace

Inbox::~Inbox() {
  join_reader();
}

void Inbox::join_reader() {
  reader_.join();
}

asio::awaitable<SessionVerdict> Inbox::receive(std::string frame) {
  const Reading how{
      authenticated_ ? limits::frame_after_authentication : limits::frame_before_authentication,
      owners_.offline.is_on()};
  std::optional<ReadFrame> made;
  if (frame.size() < large_frame) {
    read(frame, how, made);
  } else {
    auto reading = read_elsewhere(frame, how, made);
    co_await asio::co_spawn(reader_, std::move(reading), asio::use_awaitable);
  }
  co_return take(*std::move(made));
}

SessionVerdict Inbox::take(ReadFrame read) {
  if (read.message) {
    set_json_ = std::move(read.set_json);
    return deliver(*std::move(read.message));
  }
  const Error& error = read.message.error();
  if (read.refuses_policy) owners_.policy.refuse(error);
  // The existing core and satellite go on after a bad message; so do we, but visibly. Only the 1st,
  // 2nd, 4th, 8th … is logged, so that a broken core does not fill our disk.
  ++invalid_frames_;
  if (std::has_single_bit(invalid_frames_)) {
    log_.warn("frame_invalid", error.message,
              {{"error_code", error.code}, {"count", invalid_frames_}});
  }
  return SessionVerdict::go_on;
}

void Inbox::connection_lost() {
  authenticated_ = false;
  script_dispatch_ = false;
  result_ack_ = false;
  registration_requests_.clear();
  owners_.secrets.connection_lost();
  owners_.packages.connection_lost();
  owners_.policy.connection_lost();
  owners_.offline.connection_lost();
}

void Inbox::restore(OfflineCache::Restored restored) {
  if (was_told_set_ || owners_.policy.was_received()) return;
  log_.warn("offline_cache_used",
            "no core was reached yet: policy and checks are those that an earlier process kept",
            {{"age", std::chrono::milliseconds(restored.age)},
             {"assignments", restored.set.assignments.accepted.size()}});
  owners_.policy.restore(restored.policy_json, restored.age);
  owners_.scheduler.receive(std::move(restored.set.assignments));
  owners_.packages.receive(restored.set.script_packages);
}

void Inbox::take_set(protocol::AssignmentSet set,
                     const protocol::ScriptPackagesStatement& packages) {
  was_told_set_ = true;
  owners_.scheduler.receive(std::move(set));
  owners_.offline.note_set(std::move(set_json_), packages);
}

/// Who was told to stop runs nothing more of what that core wanted, now or after a restart; what
/// waits for it stays.
SessionVerdict Inbox::stop_for_core(const protocol::Shutdown& message) {
  log_.warn("shutdown_received", message.reason);
  owners_.offline.forget();
  owners_.scheduler.receive({});
  return SessionVerdict::shut_down;
}

void Inbox::expect_registration_answer(RequestId id) {
  if (registration_requests_.size() == registration_requests_max)
    registration_requests_.pop_front();
  registration_requests_.push_back(std::move(id));
}

SessionVerdict Inbox::deliver_capability_answer(const protocol::CapabilitySecretResponse& message) {
  const auto found =
      std::find(registration_requests_.begin(), registration_requests_.end(), message.request_id);
  if (found == registration_requests_.end()) {
    note_once("message_ignored", "capability_secret_response", "nobody asked for it");
    return SessionVerdict::go_on;
  }
  registration_requests_.erase(found);
  return SessionVerdict::registration_confirmed;
}

void Inbox::note_reply(const Result<void>& taken) {
  if (taken) return;
  ++mismatched_replies_;
  if (std::has_single_bit(mismatched_replies_)) {
    log_.warn("reply_mismatched", taken.error().message, {{"count", mismatched_replies_}});
  }
}

void Inbox::note_once(const std::string& event, const std::string& kind, const std::string& text) {
  if (noted_.size() >= noted_kinds_max || !noted_.insert(event + kind).second) return;
  log_.info(event, text, {{"type", kind}});
}

void Inbox::receive_policy(const std::string& policy_json) {
  if (owners_.policy.receive(policy_json)) owners_.offline.note_policy(policy_json);
}

SessionVerdict Inbox::deliver_authenticated(protocol::Authenticated message) {
  if (authenticated_) return SessionVerdict::go_on;  // answered twice, core-contract 1.2
  authenticated_ = true;
  const auto negotiated = protocol::negotiate(message.extensions, announced_by(config_));
  script_dispatch_ = negotiated.script_dispatch;
  result_ack_ = negotiated.result_ack;
  for (const auto& ignored : negotiated.ignored) {
    note_once("extension_ignored", ignored, "this satellite does not know the extension");
  }
  if (message.sandbox_policy_json) receive_policy(*message.sandbox_policy_json);
  owners_.offline.connection_up(core_url_);
  take_set(std::move(message.assignments), message.script_packages);
  log_.info("authenticated", "",
            {{"satellite", message.satellite_id},
             {"script_dispatch", script_dispatch_ ? "on" : "off"},
             {"result_ack", result_ack_ ? "on" : "off"}});
  owners_.outbox.connection_up({script_dispatch_, result_ack_, negotiated.ordered_frames});
  owners_.secrets.connection_up();
  owners_.packages.connection_up(message.script_packages);
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
          owners_.offline.forget();
          return SessionVerdict::unauthorised;
        } else if constexpr (std::is_same_v<Message, protocol::Shutdown>) {
          return stop_for_core(one);
        } else if constexpr (std::is_same_v<Message, protocol::SandboxPolicy>) {
          receive_policy(one.policy_json);
        } else if constexpr (std::is_same_v<Message, protocol::ConfigUpdated>) {
          take_set(std::move(one.assignments), one.script_packages);
          owners_.packages.receive(one.script_packages);
        } else if constexpr (std::is_same_v<Message, protocol::RefreshScriptPackages>) {
          owners_.packages.receive(
              protocol::ScriptPackagesStatement{true, std::move(one.lockfile_hash)});
        } else if constexpr (std::is_same_v<Message, protocol::ScriptPackageManifest> ||
                             std::is_same_v<Message, protocol::ScriptPackageBlob>) {
          owners_.packages.receive(std::move(one));
        } else if constexpr (std::is_same_v<Message, protocol::RunSecrets> ||
                             std::is_same_v<Message, protocol::ConfigSecrets>) {
          note_reply(owners_.secrets.receive(std::move(one)));
        } else if constexpr (dispatches) {
          if (script_dispatch_) {
            owners_.dispatcher.receive(std::move(one));
          } else {
            note_once("message_ignored", "script dispatch",
                      "the core did not declare the extension on this connection");
          }
        } else if constexpr (std::is_same_v<Message, protocol::ResultAck>) {
          if (result_ack_) {
            owners_.outbox.acknowledge_results(one.result_ids);
          } else {
            note_once("message_ignored", "result_ack",
                      "the core did not declare the extension on this connection");
          }
        } else if constexpr (std::is_same_v<Message, protocol::CapabilitySecretResponse>) {
          // Only the registration probe asks for a capability.
          return deliver_capability_answer(one);
        } else if constexpr (std::is_same_v<Message, protocol::UnknownMessage>) {
          note_once("message_unknown", one.type, "ignored");
        } else {
          note_once("message_ignored",
                    std::string(protocol::type_of(protocol::CoreMessage(std::move(one)))),
                    "nothing here waits for this kind of message");
        }
        return SessionVerdict::go_on;
      },
      std::move(message));
}

}  // namespace satellite::agent
