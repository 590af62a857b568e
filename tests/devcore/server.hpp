#pragma once

#include "tests/devcore/connection.hpp"
#include "tests/devcore/devcore.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

namespace satellite::devcore {

/// The thread, the listening socket and the connections behind a DevCore.
class DevCore::Server {
 public:
  explicit Server(const Settings& settings);
  ~Server();

  Result<void> open();
  /// From now on everything but the ledger belongs to the thread; use post().
  void begin();

  void post(std::function<void(Server&)> deed);
  void send(const std::string& text, const std::string& client_id);
  void send_to_all(const std::string& text);
  Connection* find(const std::string& client_id);

  CoreState& state() { return state_; }
  std::vector<std::shared_ptr<Connection>>& connections() { return connections_; }
  std::uint16_t port() const { return port_; }
  const std::filesystem::path& policy_store() const { return policy_store_; }
  const std::string& ca_pem() const { return ca_pem_; }

 private:
  Result<void> make_tls();
  boost::asio::awaitable<void> accept_connections();
  boost::asio::awaitable<void> serve(std::shared_ptr<Connection> connection,
                                     boost::asio::ip::tcp::socket socket);
  boost::asio::awaitable<void> follow_policy_file();
  void read_policy_file();

  boost::asio::io_context context_{1};
  std::filesystem::path policy_store_;  ///< never changes, so every thread may read it
  CoreState state_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::unique_ptr<boost::asio::ssl::context> tls_;
  std::string ca_pem_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::uint64_t connection_count_ = 0;
  std::uint16_t port_ = 0;
  std::filesystem::file_time_type policy_time_{};
  std::thread thread_;
};

}  // namespace satellite::devcore
