#pragma once

#include "protocol/agent_messages.hpp"
#include "protocol/vocabulary/byte_count.hpp"
#include "tests/devcore/package_shelf.hpp"
#include "tests/devcore/secret_replies.hpp"
#include "tests/devcore/temporary_certificate.hpp"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace satellite::devcore {

using namespace satellite::byte_literals;

/// What a connection meets instead of a well-behaved core.
enum class Misbehaviour {
  none,
  // From the very beginning of a connection:
  close_at_connect,  ///< TCP accepted and closed at once
  stall_tls,         ///< TCP accepted, then never a byte
  drip_tls,          ///< one useless byte at a time instead of a handshake
  stall_upgrade,     ///< TLS done, the upgrade request never answered
  http_status,       ///< the upgrade answered with `http_status` and `http_headers`
  more_headers,      ///< the upgrade accepted, with `http_headers` beside the usual ones
  // Instead of `authenticated`:
  refuse,              ///< `auth_failed`, whatever the token
  never_authenticate,  ///< no answer to `authenticate`
  close_after_authentication,
  // At any time on an authenticated connection, also by command:
  close,              ///< closing handshake, 1001
  reset,              ///< TCP reset, no goodbye
  stall,              ///< reads nothing more, so answers no ping; sends what it is told
  chatter,            ///< reads nothing more, but sends a small frame again and again
  garbage,            ///< a text frame that is no JSON
  deep_json,          ///< 10 000 nested arrays
  oversize_frame,     ///< one frame of 17 MiB
  endless_fragments,  ///< a message whose fragments never end
  binary_frame,       ///< `{}` in a binary frame
  displace,           ///< a close frame with a code of the core's own, 4409
  close_5000,         ///< a close frame with a code that nobody can have
  forget_route,       ///< has lost the way: pings work, but nothing is routed, results are dropped
};
std::string_view name_of(Misbehaviour misbehaviour);
std::optional<Misbehaviour> misbehaviour_named(std::string_view name);

/// What the next connection meets; used up by it.
struct ConnectionPlan {
  Misbehaviour misbehaviour = Misbehaviour::none;
  unsigned http_status = 503;
  std::map<std::string, std::string> http_headers;
};

enum class Transport { tls, plain };

/// A core that speaks the satellite protocol for real, and nothing else.
struct Settings {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0 = any free one
  Transport transport = Transport::tls;
  /// Without one, a temporary authority signs a certificate for `names`.
  std::optional<tls::CertifiedKey> certificate;
  tls::CertificateRequest certificate_request;
  /// Whoever shows no certificate of this authority (PEM) is turned away; empty = nobody is asked.
  std::string client_authority;
  /// Offer nothing newer than TLS 1.1, to see it refused.
  bool only_old_tls = false;
  std::string path = "/api/ws/satellite";

  std::map<std::string, std::string> tokens;  ///< client id -> token
  std::vector<std::string> extensions = {"script-dispatch/1"};
  std::string assignments = "[]";     ///< raw JSON, sent as it is
  std::optional<std::string> policy;  ///< raw JSON, sent as it is
  SecretReplies secrets;
  PackageShelf packages;
  std::filesystem::path policy_file;  ///< read at start and again whenever it changes
  /// Where the cluster's default policy is kept, merged and validated (policy_store.hpp).
  std::filesystem::path policy_store;

  bool acknowledge = true;
  /// Keep what scripts wrote; off for throughput, where only bytes are counted.
  /// Frames as they came, and whether each has the fields that the existing core knows. Without it
  /// a benchmark does not measure us.
  bool keep_frames = true;
  bool collect_output = true;
  ByteCount collected_max = 64_MiB;  ///< per run
  std::filesystem::path transcript;  ///< every frame with time and direction, redacted

  std::deque<ConnectionPlan> plans;  ///< for the first connections, in order

  // Called on the core's thread, before the ledger's waiters wake; must not call the core back.
  std::function<void(const std::string& client_id, const protocol::AgentMessage&)> on_message;
  std::function<void(const std::string& what)> on_event;
};

}  // namespace satellite::devcore
