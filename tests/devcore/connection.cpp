#include "tests/devcore/connection.hpp"

#include "tests/devcore/codec/core_codec.hpp"
#include "tests/devcore/codec/frame_fields.hpp"
#include "tests/devcore/frame_text.hpp"
#include "tests/devcore/without_throwing.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace satellite::devcore {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// Often enough that no window ever fills, seldom enough that acknowledging costs nothing.
constexpr std::uint64_t frames_per_acknowledgement = 16;
constexpr std::uint64_t bytes_per_acknowledgement = 128U << 10U;
constexpr std::size_t fragment_size = 4U << 10U;

/// The run and the size of a message that carries a `seq`.
struct Sequenced {
  std::string run_id;
  bool is_output = false;
  std::uint64_t bytes = 0;
};

std::optional<Sequenced> sequenced(const protocol::AgentMessage& message) {
  if (const auto* started = std::get_if<protocol::ScriptStarted>(&message)) {
    return Sequenced{started->run_id.text, false, 0};
  }
  if (const auto* finished = std::get_if<protocol::ScriptFinished>(&message)) {
    return Sequenced{finished->run_id.text, false, 0};
  }
  if (const auto* output = std::get_if<protocol::ScriptOutput>(&message)) {
    return Sequenced{output->run_id.text, true, output->bytes.size()};
  }
  return {};
}

}  // namespace

Connection::Connection(asio::io_context& context, CoreState& state, std::uint64_t number,
                       ConnectionPlan plan)
    : state_(state),
      number_(number),
      plan_(std::move(plan)),
      news_(context, asio::steady_timer::time_point::max()),
      rest_(context, asio::steady_timer::time_point::max()) {}

asio::awaitable<void> Connection::run(tcp::socket socket, asio::ssl::context* context_tls) {
  using namespace asio::experimental::awaitable_operators;
  raw_socket_ = &socket;
  co_await misbehave_at_connect(socket);
  raw_socket_ = nullptr;
  if (!socket.is_open()) co_return;

  Acceptance acceptance{state_.settings.path, plan_};
  auto accepting = context_tls != nullptr
                       ? accept_tls(std::move(socket), *context_tls, std::move(acceptance))
                       : accept_plain(std::move(socket), std::move(acceptance));
  auto accepted = co_await std::move(accepting);
  if (!accepted) {
    tell(accepted.error().message);
    state_.ledger.note_goodbye(accepted.error().message);
    co_return;
  }
  channel_ = std::move(*accepted);
  state_.ledger.count([](Counters& counters) { ++counters.upgrades; });
  co_await (read_frames() && write_frames());
  if (authenticated_) state_.ledger.count([](Counters& counters) { ++counters.disconnections; });
}

asio::awaitable<void> Connection::read_frames() {
  while (!finished_) {
    const auto frame = co_await channel_->read();
    if (frame) {
      receive(*frame);
      continue;
    }
    co_await rest();
    tell(frame.error().message);
    state_.ledger.note_goodbye(frame.error().message);
    finish();
  }
}

asio::awaitable<void> Connection::write_frames() {
  while (!finished_ && !written_) {
    const bool has_work = !queue_.empty() || stalled_ || fragments_without_end_ || close_code_ != 0;
    if (has_work) {
      co_await write_next();
      continue;
    }
    news_.expires_at(asio::steady_timer::time_point::max());
    co_await news_.async_wait(without_throwing);
  }
}

asio::awaitable<void> Connection::write_next() {
  if (stalled_) {
    co_await write_while_stalled();
    co_return;
  }
  if (queue_.empty() && !fragments_without_end_) {
    // The reader ends this connection when the satellite has answered the close frame.
    written_ = true;
    co_await channel_->close(close_code_);
    co_return;
  }
  if (cuts_last_ && queue_.size() == 1) {
    const std::string half = queue_.front().substr(0, queue_.front().size() / 2);
    const auto begun = co_await channel_->write_fragment(half);
    static_cast<void>(begun);
    written_ = true;
    channel_->reset();
    co_return;
  }
  std::string text(fragment_size, 'x');
  // A message between two fragments would end the one that has no end.
  const bool is_fragment = fragments_without_end_;
  if (!is_fragment) {
    text = std::move(queue_.front());
    queue_.pop_front();
    state_.transcript.sent(number_, text);
  }
  auto writing = is_fragment     ? channel_->write_fragment(text)
                 : sends_binary_ ? channel_->write_binary(text)
                                 : channel_->write(text);
  const auto done = co_await std::move(writing);
  if (!done) written_ = true;
}

void Connection::receive(std::string_view text) {
  state_.transcript.received(number_, text);
  // As the existing core does it whose older socket of this satellite closed late: heartbeats look
  // fine, results are dropped, requests are not answered.
  if (forgotten_) return;
  auto message = decode_agent_message(text);
  const bool is_output = message && std::holds_alternative<protocol::ScriptOutput>(*message);
  const bool is_kept = state_.settings.keep_frames || !message;
  state_.ledger.note_frame(is_output || !is_kept ? "script_output" : type_in(text), text);
  // As the existing core does it: one warning, the message dropped, the socket kept.
  if (!message) {
    tell("invalid frame: " + message.error().message);
    return state_.ledger.note_invalid(message.error().message);
  }
  if (!is_output && is_kept) {
    if (const auto violation = field_violation(text)) state_.ledger.note_invalid(*violation);
  }
  const auto* authentication = std::get_if<protocol::Authenticate>(&*message);
  if (authentication != nullptr) return authenticate(*authentication);
  if (!authenticated_) {
    send(encode_core_message(protocol::AuthFailed{"Must authenticate first"}));
    close_code_ = 1000;
    return;
  }
  if (state_.settings.on_message) state_.settings.on_message(client_id_, *message);
  state_.ledger.note(*message);
  if (auto reply = secret_reply(state_.secrets, *message)) send(*std::move(reply));
  if (auto reply = package_reply(state_.packages, *message)) {
    cuts_last_ = reply->is_cut;
    send(std::move(reply->frame));
  }
  if (state_.acknowledge) acknowledge(*message);
}

void Connection::authenticate(const protocol::Authenticate& message) {
  if (authenticated_ || plan_.misbehaviour == Misbehaviour::never_authenticate) return;
  const auto known = state_.settings.tokens.find(message.client_id);
  const bool is_right = known != state_.settings.tokens.end() &&
                        known->second == message.token.reveal() &&
                        plan_.misbehaviour != Misbehaviour::refuse;
  if (!is_right) {
    send(encode_core_message(protocol::AuthFailed{"Invalid client ID or token"}));
    close_code_ = 1000;
    tell("refused satellite " + message.client_id);
    state_.ledger.count([](Counters& counters) { ++counters.refusals; });
    return;
  }
  authenticated_ = true;
  client_id_ = message.client_id;
  channel_->set_frame_size_max(limits::frame_size_max);
  send(authenticated_frame(client_id_, state_));
  tell("authenticated satellite " + client_id_);
  state_.ledger.count([](Counters& counters) { ++counters.authentications; });
  if (plan_.misbehaviour == Misbehaviour::close_after_authentication) {
    misbehave(Misbehaviour::close);
  } else if (plan_.misbehaviour != Misbehaviour::none) {
    misbehave(plan_.misbehaviour);
  }
}

void Connection::acknowledge(const protocol::AgentMessage& message) {
  const auto* result = std::get_if<protocol::CheckResult>(&message);
  if (result != nullptr && result->result_id) {
    return send(encode_core_message(protocol::ResultAck{{*result->result_id}}));
  }
  const auto one = sequenced(message);
  if (!one) return;
  Unacknowledged& open = unacknowledged_[one->run_id];
  ++open.frames;
  open.bytes += one->bytes;
  const bool is_due = !one->is_output || open.frames >= frames_per_acknowledgement ||
                      open.bytes >= bytes_per_acknowledgement;
  if (!is_due) return;
  open = {};
  const std::uint64_t seq = state_.ledger.seq_expected(one->run_id);
  if (seq > 0) send(encode_core_message(protocol::ScriptAck{RunId(one->run_id), seq - 1}));
}

void Connection::acknowledge_all() {
  for (const std::string& run_id : state_.ledger.run_ids()) {
    const std::uint64_t seq = state_.ledger.seq_expected(run_id);
    if (seq > 0) send(encode_core_message(protocol::ScriptAck{RunId(run_id), seq - 1}));
  }
}

void Connection::send(std::string text) {
  queue_.push_back(std::move(text));
  news_.cancel();
}

void Connection::finish() {
  finished_ = true;
  news_.cancel();
  rest_.cancel();
}

void Connection::tell(const std::string& event) {
  state_.transcript.remark(number_, event);
  if (state_.settings.on_event) {
    state_.settings.on_event("connection " + std::to_string(number_) + ": " + event);
  }
}

void Connection::cut() {
  finish();
  boost::system::error_code ignored;
  if (raw_socket_ != nullptr) raw_socket_->close(ignored);
  if (channel_) channel_->reset();
}

}  // namespace satellite::devcore
