#include "tests/support/fault_proxy.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

namespace satellite::tests {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;

namespace {

constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
constexpr auto look_every = 5ms;

/// Two sockets, and whether they are still of use.
struct Pair {
  explicit Pair(tcp::socket taken) : satellite(std::move(taken)), core(satellite.get_executor()) {}
  void end(bool resets) {
    for (tcp::socket* socket : {&satellite, &core}) {
      boost::system::error_code ignored;
      if (resets) socket->set_option(asio::socket_base::linger(true, 0), ignored);
      socket->close(ignored);
    }
    ended = true;
  }
  tcp::socket satellite, core;
  bool ended = false;
};

bool reached(const std::optional<std::uint64_t>& place, std::uint64_t passed) {
  return place && passed >= *place;
}

/// Up to the next place where something happens.
std::size_t piece_size(const LinkFault& fault, std::uint64_t passed, std::size_t available) {
  std::size_t size = available;
  for (const auto& place :
       {fault.reset_at, fault.close_at, fault.finish_at, fault.swallow_at, fault.stall_at}) {
    if (place && *place > passed) size = std::min<std::size_t>(size, *place - passed);
  }
  return fault.bytes_per_tick > 0 ? std::min(size, fault.bytes_per_tick) : size;
}

}  // namespace

class FaultProxy::Relay {
 public:
  Relay(const std::string& address, std::uint16_t port)
      : acceptor_(context_, {asio::ip::make_address_v4(address), port}) {
    // What lies in a socket has passed no network yet; accepted ones inherit it.
    acceptor_.set_option(asio::socket_base::receive_buffer_size(16'384));
    asio::co_spawn(context_, accept(), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Relay() {
    context_.stop();
    thread_.join();
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  void set(Direction direction, LinkFault fault) {
    const std::lock_guard lock(mutex_);
    faults_.at(static_cast<std::size_t>(direction)) = fault;
  }
  LinkFault fault(Direction direction) const {
    const std::lock_guard lock(mutex_);
    return faults_.at(static_cast<std::size_t>(direction));
  }

  std::atomic<std::uint16_t> target{0};
  std::atomic<std::uint64_t> connections{0};
  std::array<std::atomic<std::uint64_t>, 2> bytes{};

 private:
  asio::awaitable<void> accept() {
    while (true) {
      auto taken = co_await acceptor_.async_accept(without_throwing);
      if (std::get<0>(taken)) continue;
      ++connections;
      auto pair = std::make_shared<Pair>(std::get<1>(std::move(taken)));
      asio::co_spawn(context_, relay(std::move(pair)), asio::detached);
    }
  }

  asio::awaitable<void> pause(std::chrono::milliseconds time) {
    asio::steady_timer timer(context_, time);
    co_await timer.async_wait(without_throwing);
  }

  asio::awaitable<void> relay(std::shared_ptr<Pair> pair) {
    using namespace asio::experimental::awaitable_operators;
    while (target == 0) {
      co_await pause(look_every);
    }
    const tcp::endpoint core(asio::ip::address_v4::loopback(), target);
    const auto connected = co_await pair->core.async_connect(core, without_throwing);
    if (std::get<0>(connected)) {
      pair->end(true);
      co_return;
    }
    boost::system::error_code ignored;
    pair->core.set_option(tcp::no_delay(true), ignored);
    pair->satellite.set_option(tcp::no_delay(true), ignored);
    co_await (pump(pair, Direction::to_core) && pump(pair, Direction::to_satellite));
    pair->end(false);
  }

  /// True if the direction goes on.
  bool apply(Pair& pair, const LinkFault& fault, std::uint64_t passed, tcp::socket& to) {
    if (reached(fault.reset_at, passed) || reached(fault.close_at, passed)) {
      pair.end(reached(fault.reset_at, passed));
      return false;
    }
    if (reached(fault.finish_at, passed)) {
      boost::system::error_code ignored;
      to.shutdown(tcp::socket::shutdown_send, ignored);
      return false;
    }
    return true;
  }

  asio::awaitable<void> pump(std::shared_ptr<Pair> pair, Direction direction) {
    tcp::socket& from = direction == Direction::to_core ? pair->satellite : pair->core;
    tcp::socket& to = direction == Direction::to_core ? pair->core : pair->satellite;
    std::uint64_t passed = 0;
    bool is_lost = false;
    std::string buffer(16'384, '\0');
    while (!pair->ended) {
      const LinkFault now = fault(direction);
      if (!apply(*pair, now, passed, to)) co_return;
      // Looked at again and again, because a fault may come while nothing does.
      boost::system::error_code failure;
      const std::size_t available = from.available(failure);
      const bool stalls = reached(now.stall_at, passed);
      if (failure) break;
      if (available == 0 || stalls) {
        if (!stalls && is_at_end(from)) break;
        co_await pause(look_every);
        continue;
      }
      const std::size_t wanted = piece_size(now, passed, std::min(available, buffer.size()));
      const std::size_t size = from.read_some(asio::buffer(buffer.data(), wanted), failure);
      if (failure) break;
      is_lost =
          is_lost || reached(now.swallow_at, passed) || (now.piece_max > 0 && size > now.piece_max);
      if (now.flip_at && *now.flip_at >= passed && *now.flip_at < passed + size) {
        char& byte = buffer[*now.flip_at - passed];
        byte = static_cast<char>(byte ^ 1);
      }
      passed += size;
      if (is_lost) continue;
      const auto wait = now.delay + (now.bytes_per_tick > 0 ? 10ms : 0ms);
      if (wait.count() > 0) {
        co_await pause(wait);
      }
      const auto piece = asio::buffer(buffer.data(), size);
      const auto written = co_await asio::async_write(to, piece, without_throwing);
      if (std::get<0>(written)) break;
      bytes.at(static_cast<std::size_t>(direction)) += size;
    }
    boost::system::error_code ignored;
    to.shutdown(tcp::socket::shutdown_send, ignored);
  }

  static bool is_at_end(tcp::socket& socket) {
    char byte = 0;
    const ssize_t got = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
  }

  asio::io_context context_;
  tcp::acceptor acceptor_;
  mutable std::mutex mutex_;
  std::array<LinkFault, 2> faults_;
  std::thread thread_;
};

FaultProxy::FaultProxy(const std::string& address, std::uint16_t port)
    : relay_(std::make_unique<Relay>(address, port)) {}
FaultProxy::~FaultProxy() = default;

std::uint16_t FaultProxy::port() const {
  return relay_->port();
}

void FaultProxy::forward_to(std::uint16_t port) {
  relay_->target = port;
}

void FaultProxy::set(Direction direction, LinkFault fault) {
  relay_->set(direction, fault);
}

std::uint64_t FaultProxy::connections() const {
  return relay_->connections;
}

std::uint64_t FaultProxy::bytes(Direction direction) const {
  return relay_->bytes.at(static_cast<std::size_t>(direction));
}

}  // namespace satellite::tests
