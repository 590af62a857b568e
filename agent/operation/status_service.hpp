#pragma once

#include "agent/http/http_listener.hpp"
#include "agent/runtime/log.hpp"
#include "agent/status/status_history.hpp"
#include "agent/status/status_routes.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace satellite::agent {

/// Tells whoever may ask how the satellite is doing: on a unix socket, and on a second one or a
/// port of loopback if the operator names it.
///
/// Errors: an address that cannot be had is logged; the satellite works without it.
class StatusService {
 public:
  struct Settings {
    std::string socket;  ///< path; empty = none
    std::string http;    ///< path or loopback address; empty = none
  };
  struct Questions {
    std::function<Status()> status;
    std::function<StatusSample()> sample;
  };
  StatusService(boost::asio::io_context& context, Log& log, Settings settings, Questions questions);

  /// Until stop().
  boost::asio::awaitable<void> run();
  void stop();

 private:
  void listen(const std::string& where);
  boost::asio::awaitable<void> answer_at(std::size_t place);
  boost::asio::awaitable<void> take_samples();
  Status status() const;

  boost::asio::io_context& context_;
  Log& log_;
  Questions questions_;
  StatusHistory history_;
  std::vector<std::unique_ptr<HttpListener>> listeners_;
  boost::asio::steady_timer timer_;
  bool stopping_ = false;
};

}  // namespace satellite::agent
