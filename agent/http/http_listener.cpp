#include "agent/http/http_listener.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <exception>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

namespace {

constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
// Without a descriptor for the next peer there will be none in the same instant either.
constexpr std::chrono::milliseconds pause_without_descriptors{500};
// A peer that still sends is read for a while, since to close would take the answer from it.
constexpr std::size_t read_after_answer_max = 64U << 10U;

}  // namespace

HttpListener::HttpListener(asio::io_context& context, ListeningSocket socket, Answer answer,
                           std::chrono::milliseconds exchange_max)
    : context_(context),
      path_(std::move(socket.path)),
      answer_(std::move(answer)),
      exchange_max_(exchange_max),
      listening_(context, socket.fd.release()),
      pause_(context),
      peers_(context, [](const std::exception_ptr&) {}) {}

HttpListener::~HttpListener() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

void HttpListener::stop() {
  stopping_ = true;
  listening_.cancel();
  pause_.cancel();
  peers_.cancel_all();
}

asio::awaitable<void> HttpListener::run() {
  co_await accept_peers();
  co_await peers_.drained();
}

asio::awaitable<void> HttpListener::accept_peers() {
  while (!stopping_) {
    if (peers_.size() >= peers_max) {
      co_await peers_.next_end();
      continue;
    }
    co_await listening_.async_wait(asio::posix::stream_descriptor::wait_read, without_throwing);
    if (stopping_) co_return;
    UniqueFd fd(
        ::accept4(listening_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd) {
      static_cast<void>(peers_.start(serve(std::move(fd))));
    } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
      pause_.expires_after(pause_without_descriptors);
      co_await pause_.async_wait(without_throwing);
    }
  }
}

asio::awaitable<void> HttpListener::serve(UniqueFd fd) {
  asio::posix::stream_descriptor peer(context_, fd.release());
  asio::steady_timer deadline(context_, exchange_max_);
  co_await (exchange(peer) || deadline.async_wait(without_throwing));
}

asio::awaitable<void> HttpListener::exchange(asio::posix::stream_descriptor& peer) {
  std::string head;
  std::array<char, 2'048> piece{};
  ParsedRequest parsed;
  while (parsed.state == ParsedRequest::State::incomplete) {
    const auto got = co_await peer.async_read_some(asio::buffer(piece), without_throwing);
    if (std::get<0>(got)) co_return;
    head.append(piece.data(), std::get<1>(got));
    parsed = parse_http_request(head);
  }
  HttpResponse response;
  response.status = parsed.status;
  if (parsed.state == ParsedRequest::State::complete) response = answer_(parsed.request);
  const std::string bytes = encode_http_response(response, parsed.request.wants_body);
  const auto written = co_await asio::async_write(peer, asio::buffer(bytes), without_throwing);
  if (std::get<0>(written)) co_return;
  ::shutdown(peer.native_handle(), SHUT_WR);
  for (std::size_t read = 0; read < read_after_answer_max;) {
    const auto got = co_await peer.async_read_some(asio::buffer(piece), without_throwing);
    if (std::get<0>(got)) co_return;
    read += std::get<1>(got);
  }
}

}  // namespace satellite::agent
