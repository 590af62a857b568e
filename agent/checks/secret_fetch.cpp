#include "agent/checks/secret_fetch.hpp"

#include "agent/runtime/random_id.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <optional>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

namespace {

// What the existing satellite waits (core-contract 1.5); scripts wait as long.
constexpr std::chrono::seconds reply_deadline{30};

}  // namespace

/// A request under way; it lives in the coroutine that waits.
struct SecretFetch::Pending {
  enum class Wants { run_secrets, config_secrets };
  Pending(asio::io_context& context, Wants wanted)
      : id(random_id()), wants(wanted), alarm(context) {}

  bool answered() const { return run_secrets || config_secrets; }
  std::optional<protocol::RunSecrets>& reply_of(const protocol::RunSecrets&) { return run_secrets; }
  std::optional<protocol::ConfigSecrets>& reply_of(const protocol::ConfigSecrets&) {
    return config_secrets;
  }
  bool awaits(const protocol::RunSecrets&) const { return wants == Wants::run_secrets; }
  bool awaits(const protocol::ConfigSecrets&) const { return wants == Wants::config_secrets; }

  RequestId id;
  Wants wants;
  std::string late;  ///< the text when the deadline passes
  asio::steady_timer alarm;
  std::optional<protocol::RunSecrets> run_secrets;
  std::optional<protocol::ConfigSecrets> config_secrets;
  bool connection_lost = false;
};

class SecretFetch::Registration {
 public:
  Registration(SecretFetch& fetch, Pending& pending) : fetch_(fetch), id_(pending.id.text) {
    fetch_.pending_.emplace(id_, &pending);
  }
  ~Registration() {
    fetch_.pending_.erase(id_);
    fetch_.replied_.notify_all();
  }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  SecretFetch& fetch_;
  std::string id_;
};

asio::awaitable<Result<void>> SecretFetch::await_reply(Pending& pending,
                                                       protocol::AgentMessage request,
                                                       const sandbox::CancelSwitch& cancel) {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  if (!connected_) {
    co_return Error{ErrorCode::unavailable, "there is no connection to the core"};
  }
  const Registration registration(*this, pending);
  outbox_.push_for_this_connection(request);
  pending.alarm.expires_after(reply_deadline);
  co_await (pending.alarm.async_wait(without_throwing) || cancel.wait());
  if (pending.answered()) co_return Result<void>();
  if (pending.connection_lost) {
    co_return Error{ErrorCode::unavailable, "the connection to the core was lost"};
  }
  if (cancel.cancelled()) co_return Error{ErrorCode::cancelled, "the run was stopped"};
  co_return Error{ErrorCode::timed_out, pending.late};
}

asio::awaitable<Result<std::map<std::string, Secret>>> SecretFetch::run_secrets(
    RunSecretsFor what, const sandbox::CancelSwitch& cancel) {
  Pending pending(context_, Pending::Wants::run_secrets);
  protocol::RequestRunSecrets request{pending.id, what.config_id, what.entry_id, random_id()};
  pending.late =
      "Run-secret delivery timed out for " + what.entry_id + " (run " + request.run_id + ")";
  protocol::AgentMessage message(std::move(request));
  const auto replied = co_await await_reply(pending, std::move(message), cancel);
  if (!replied) co_return replied.error();
  protocol::RunSecrets& reply = *pending.run_secrets;
  if (!reply.environment) {
    co_return Error{ErrorCode::not_found,
                    reply.error.value_or("Required secret not available on this satellite")};
  }
  co_return *std::move(reply.environment);
}

asio::awaitable<Result<ConfigSecretValues>> SecretFetch::config_secrets(
    ConfigId config_id, const sandbox::CancelSwitch& cancel) {
  Pending pending(context_, Pending::Wants::config_secrets);
  protocol::RequestConfigSecrets request{pending.id, config_id, random_id()};
  pending.late =
      "Config-secret delivery timed out for " + config_id.text + " (run " + request.run_id + ")";
  protocol::AgentMessage message(std::move(request));
  const auto replied = co_await await_reply(pending, std::move(message), cancel);
  if (!replied) co_return replied.error();
  protocol::ConfigSecrets& reply = *pending.config_secrets;
  if (reply.error) co_return Error{ErrorCode::not_found, *reply.error};
  ConfigSecretValues values;
  if (reply.strategy) values.strategy = *std::move(reply.strategy);
  if (reply.collectors) values.collectors = *std::move(reply.collectors);
  co_return values;
}

template <typename Reply>
Result<void> SecretFetch::take(Reply message) {
  const auto found = pending_.find(message.request_id.text);
  if (found == pending_.end() || found->second->answered()) return {};
  Pending& pending = *found->second;
  if (!pending.awaits(message)) {
    return Error{ErrorCode::invalid_input,
                 "the core answered a request for " +
                     std::string(pending.wants == Pending::Wants::run_secrets
                                     ? "run secrets with config secrets"
                                     : "config secrets with run secrets") +
                     "; the answer is ignored"};
  }
  auto& reply = pending.reply_of(message);
  reply = std::move(message);
  pending.alarm.cancel();
  return {};
}

Result<void> SecretFetch::receive(protocol::RunSecrets message) {
  return take(std::move(message));
}

Result<void> SecretFetch::receive(protocol::ConfigSecrets message) {
  return take(std::move(message));
}

void SecretFetch::connection_lost() {
  connected_ = false;
  for (const auto& [id, pending] : pending_) {
    pending->connection_lost = true;
    pending->alarm.cancel();
  }
}

}  // namespace satellite::agent
