#pragma once

#include "agent/outbound/outbox.hpp"
#include "agent/runtime/notification.hpp"
#include "protocol/core_messages.hpp"
#include "protocol/vocabulary/result.hpp"
#include "sandbox/running/runner.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <string>
#include <unordered_map>

namespace satellite::agent {

/// What a core answers to request_config_secrets: values by place.
struct ConfigSecretValues {
  std::map<std::string, Secret> strategy;
  std::map<std::string, std::map<std::string, Secret>> collectors;  ///< by entry id
};

/// Secrets of checks, asked for right before they are used and kept nowhere.
///
/// Shape:  one request per call, paired by a fresh id and by the kind of its reply. The first reply
///         counts; one that comes late or twice is dropped.
/// Errors: unavailable = no core, or it went away meanwhile, told at once; cancelled = the run was
///         stopped; timed_out after 30 s; not_found = the core has none to give, in its own words.
/// Source: core-contract 1.5, 4.3, 4.4.
class SecretFetch {
 public:
  SecretFetch(boost::asio::io_context& context, Outbox& outbox)
      : context_(context), outbox_(outbox), replied_(context) {}

  struct RunSecretsFor {
    ConfigId config_id;
    std::string entry_id;
  };
  boost::asio::awaitable<Result<std::map<std::string, Secret>>> run_secrets(
      RunSecretsFor what, const sandbox::CancelSwitch& cancel);
  boost::asio::awaitable<Result<ConfigSecretValues>> config_secrets(
      ConfigId config_id, const sandbox::CancelSwitch& cancel);

  /// Errors: invalid_input = the core answers one kind of request with the reply of the other; the
  /// request goes on waiting for its own.
  Result<void> receive(protocol::RunSecrets message);
  Result<void> receive(protocol::ConfigSecrets message);
  void connection_up() { connected_ = true; }
  void connection_lost();
  bool awaits_replies() const { return !pending_.empty(); }
  /// Woken each time a request stopped waiting, with a reply or without.
  Notification& replied() { return replied_; }

 private:
  struct Pending;
  /// Registers itself with its request's id for as long as it lives.
  class Registration;

  boost::asio::awaitable<Result<void>> await_reply(Pending& pending, protocol::AgentMessage request,
                                                   const sandbox::CancelSwitch& cancel);
  template <typename Reply>
  Result<void> take(Reply message);

  boost::asio::io_context& context_;
  Outbox& outbox_;
  std::unordered_map<std::string, Pending*> pending_;
  Notification replied_;
  bool connected_ = false;
};

}  // namespace satellite::agent
