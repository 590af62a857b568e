#pragma once

#include "agent/http/http_request.hpp"
#include "agent/http/listening_socket.hpp"
#include "agent/runtime/task_group.hpp"
#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <string>

namespace satellite::agent {

/// Answers small questions over HTTP, one for each connection, on the event loop.
///
/// Shape:  at most `peers_max` at a time, further ones wait in the kernel's queue; each has
///         5 s for all it does, sends 8 KiB at most and is closed after its answer.
/// Errors: none that reach the caller: whoever is slow, wrong or gone is closed.
class HttpListener {
 public:
  static constexpr std::size_t peers_max = 16;
  using Answer = std::function<HttpResponse(const HttpRequest&)>;

  HttpListener(boost::asio::io_context& context, ListeningSocket socket, Answer answer,
               std::chrono::milliseconds exchange_max = std::chrono::seconds(5));
  ~HttpListener();
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  /// Until stop().
  boost::asio::awaitable<void> run();
  void stop();

 private:
  boost::asio::awaitable<void> accept_peers();
  boost::asio::awaitable<void> serve(UniqueFd fd);
  boost::asio::awaitable<void> exchange(boost::asio::posix::stream_descriptor& peer);

  boost::asio::io_context& context_;
  std::string path_;
  Answer answer_;
  const std::chrono::milliseconds exchange_max_;
  boost::asio::posix::stream_descriptor listening_;
  boost::asio::steady_timer pause_;
  TaskGroup peers_;
  bool stopping_ = false;
};

}  // namespace satellite::agent
