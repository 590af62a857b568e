#include "tests/devcore/server.hpp"

#include "tests/devcore/frame_text.hpp"
#include "tests/devcore/stored_policy.hpp"
#include "tests/devcore/without_throwing.hpp"

#include <openssl/ssl.h>
#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fstream>
#include <future>
#include <iterator>

namespace satellite::devcore {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::chrono::milliseconds policy_file_interval{100};

Error refused(const std::string& what, const boost::system::error_code& failure) {
  return {ErrorCode::unavailable, what + ": " + failure.message()};
}

}  // namespace

DevCore::Server::Server(const Settings& settings)
    : policy_store_(settings.policy_store), state_(settings), acceptor_(context_) {}

DevCore::Server::~Server() {
  if (thread_.joinable()) {
    context_.stop();
    thread_.join();
  }
  // The sockets must go before the context whose services they use.
  for (const auto& connection : connections_) connection->cut();
  connections_.clear();
}

Result<void> DevCore::Server::make_tls() {
  Settings& settings = state_.settings;
  if (!settings.certificate) {
    const auto authority = tls::TemporaryAuthority::create();
    if (!authority) return authority.error();
    auto signed_key = authority->sign(settings.certificate_request);
    if (!signed_key) return signed_key.error();
    settings.certificate = std::move(*signed_key);
    ca_pem_ = authority->certificate_pem();
  }
  tls_ = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  boost::system::error_code failure;
  tls_->use_certificate_chain(asio::buffer(settings.certificate->certificate_pem), failure);
  if (failure) return refused("the certificate", failure);
  tls_->use_private_key(asio::buffer(settings.certificate->key_pem), asio::ssl::context::pem,
                        failure);
  if (failure) return refused("the private key", failure);
  if (!settings.client_authority.empty()) {
    tls_->add_certificate_authority(asio::buffer(settings.client_authority), failure);
    if (failure) return refused("the authority of clients", failure);
    tls_->set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
  }
  if (settings.only_old_tls) {
    SSL_CTX_set_security_level(tls_->native_handle(), 0);  // OpenSSL 3 wants that for TLS 1.1
    SSL_CTX_set_min_proto_version(tls_->native_handle(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(tls_->native_handle(), TLS1_1_VERSION);
  }
  return {};
}

Result<void> DevCore::Server::open() {
  const Settings& settings = state_.settings;
  if (settings.transport == Transport::tls) {
    Result<void> made = make_tls();
    if (!made) return made;
  }
  boost::system::error_code failure;
  const auto address = asio::ip::make_address(settings.address, failure);
  if (failure) return refused("the address " + settings.address, failure);
  const tcp::endpoint endpoint(address, settings.port);
  acceptor_.open(endpoint.protocol(), failure);
  if (!failure) acceptor_.set_option(tcp::acceptor::reuse_address(true), failure);
  if (!failure) acceptor_.bind(endpoint, failure);
  if (!failure) acceptor_.listen(asio::socket_base::max_listen_connections, failure);
  if (failure) return refused("listening on " + settings.address, failure);
  port_ = acceptor_.local_endpoint().port();
  if (!settings.policy_file.empty()) read_policy_file();
  if (!policy_store_.empty()) {
    auto stored = read_stored_policy(policy_store_);
    if (!stored) return stored.error();
    state_.policy = *std::move(stored);
  }
  return {};
}

void DevCore::Server::begin() {
  asio::co_spawn(context_, accept_connections(), asio::detached);
  if (!state_.settings.policy_file.empty()) {
    asio::co_spawn(context_, follow_policy_file(), asio::detached);
  }
  thread_ = std::thread([this] { context_.run(); });
}

void DevCore::Server::post(std::function<void(Server&)> deed) {
  asio::post(context_, [this, deed = std::move(deed)] { deed(*this); });
}

asio::awaitable<void> DevCore::Server::accept_connections() {
  for (;;) {
    auto accepted = co_await acceptor_.async_accept(without_throwing);
    if (std::get<0>(accepted)) continue;
    tcp::socket socket = std::get<1>(std::move(accepted));
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    state_.ledger.count([](Counters& counters) { ++counters.connections; });
    ConnectionPlan plan;
    if (!state_.settings.plans.empty()) {
      plan = std::move(state_.settings.plans.front());
      state_.settings.plans.pop_front();
    }
    auto connection =
        std::make_shared<Connection>(context_, state_, ++connection_count_, std::move(plan));
    connections_.push_back(connection);
    asio::co_spawn(context_, serve(std::move(connection), std::move(socket)), asio::detached);
  }
}

asio::awaitable<void> DevCore::Server::serve(std::shared_ptr<Connection> connection,
                                             tcp::socket socket) {
  co_await connection->run(std::move(socket), tls_.get());
  std::erase(connections_, connection);
}

void DevCore::Server::read_policy_file() {
  std::error_code failure;
  const auto time = std::filesystem::last_write_time(state_.settings.policy_file, failure);
  if (failure || time == policy_time_) return;
  policy_time_ = time;
  std::ifstream file(state_.settings.policy_file, std::ios::binary);
  state_.policy.emplace(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

asio::awaitable<void> DevCore::Server::follow_policy_file() {
  asio::steady_timer timer(context_);
  for (;;) {
    timer.expires_after(policy_file_interval);
    co_await timer.async_wait(without_throwing);
    const auto known = policy_time_;
    read_policy_file();
    if (policy_time_ != known) send_to_all(policy_frame(*state_.policy));
  }
}

Connection* DevCore::Server::find(const std::string& client_id) {
  const auto is_meant = [&client_id](const std::shared_ptr<Connection>& connection) {
    return connection->is_authenticated() &&
           (client_id.empty() || connection->client_id() == client_id);
  };
  const auto found = std::find_if(connections_.rbegin(), connections_.rend(), is_meant);
  return found != connections_.rend() ? found->get() : nullptr;
}

void DevCore::Server::send(const std::string& text, const std::string& client_id) {
  Connection* connection = find(client_id);
  if (connection != nullptr) connection->send(text);
}

void DevCore::Server::send_to_all(const std::string& text) {
  for (const auto& connection : connections_) {
    if (connection->is_authenticated()) connection->send(text);
  }
}

}  // namespace satellite::devcore
