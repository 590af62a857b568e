#pragma once

#include "agent/connection/connection_record.hpp"
#include "agent/runtime/notify_socket.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <string>

namespace satellite::agent {

/// What the service manager is told while the agent works: how the connection is, and that the loop
/// turns.
///
/// Shape:  in the loop that does the work, since one that stands still is not alive.
class ServiceReports {
 public:
  /// `core` names the one that is connected to, or tried.
  ServiceReports(boost::asio::io_context& context, NotifySocket& service,
                 ConnectionRecord& connection, std::function<std::string()> core);

  /// Until stop().
  boost::asio::awaitable<void> run();
  void stop();

  void ready() { service_.ready(words()); }
  void reloading();
  void stopping(std::chrono::seconds limit);

 private:
  boost::asio::awaitable<void> tell_status();
  boost::asio::awaitable<void> prove_alive();
  std::string words() const;

  NotifySocket& service_;
  ConnectionRecord& connection_;
  std::function<std::string()> core_;
  boost::asio::steady_timer timer_;
  bool is_stopping_ = false, stopped_ = false;
};

}  // namespace satellite::agent
