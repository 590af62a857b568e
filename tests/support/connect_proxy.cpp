#include "tests/support/connect_proxy.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <tuple>
#include <utility>

namespace satellite::tests {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using asio::ip::tcp;

namespace {

constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
using EncryptedStream = asio::ssl::stream<tcp::socket>;

tcp::socket& socket_of(tcp::socket& socket) {
  return socket;
}
tcp::socket& socket_of(EncryptedStream& stream) {
  return stream.next_layer();
}

/// One who came, and where he was led.
template <typename Stream>
struct Passage {
  explicit Passage(Stream taken) : client(std::move(taken)), core(client.get_executor()) {}
  void end() {
    boost::system::error_code ignored;
    socket_of(client).close(ignored);
    core.close(ignored);
  }
  Stream client;
  tcp::socket core;
};

template <typename From, typename To>
asio::awaitable<void> pump(From& from, To& to) {
  std::string piece(16'384, '\0');
  while (true) {
    const auto room = asio::buffer(piece);
    const auto got = co_await from.async_read_some(room, without_throwing);
    if (std::get<0>(got)) break;
    const auto bytes = asio::buffer(piece.data(), std::get<1>(got));
    const auto put = co_await asio::async_write(to, bytes, without_throwing);
    if (std::get<0>(put)) break;
  }
}

}  // namespace

class ConnectProxy::Relay {
 public:
  explicit Relay(Options options)
      : options_(std::move(options)),
        acceptor_(context_, {asio::ip::make_address(options_.address), 0}) {
    if (options_.certificate) {
      tls_.use_certificate_chain(asio::buffer(options_.certificate->certificate_pem));
      tls_.use_private_key(asio::buffer(options_.certificate->key_pem), asio::ssl::context::pem);
    }
    port_ = acceptor_.local_endpoint().port();
    asio::co_spawn(context_, accept(), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Relay() {
    context_.stop();
    thread_.join();
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const {
    const bool is_v6 = options_.address.find(':') != std::string::npos;
    return (options_.certificate ? "https://" : "http://") +
           (is_v6 ? '[' + options_.address + ']' : options_.address) + ':' + std::to_string(port_);
  }
  void behave(ProxyConduct conduct) {
    const std::lock_guard lock(mutex_);
    conduct_ = std::move(conduct);
  }
  void lead_to(std::uint16_t core_port) {
    const std::lock_guard lock(mutex_);
    options_.core_port = core_port;
  }
  std::vector<std::string> questions() const {
    const std::lock_guard lock(mutex_);
    return questions_;
  }
  void cut() {
    std::promise<void> done;
    asio::post(context_, [this, &done] {
      for (const auto& end : ends_) end();
      ends_.clear();
      done.set_value();
    });
    done.get_future().wait();
  }

 private:
  ProxyConduct conduct() const {
    const std::lock_guard lock(mutex_);
    return conduct_;
  }
  std::uint16_t core_port() const {
    const std::lock_guard lock(mutex_);
    return options_.core_port;
  }

  asio::awaitable<void> accept() {
    while (true) {
      auto taken = co_await acceptor_.async_accept(without_throwing);
      if (std::get<0>(taken)) continue;
      tcp::socket socket = std::get<1>(std::move(taken));
      if (options_.certificate) {
        auto passage =
            std::make_shared<Passage<EncryptedStream>>(EncryptedStream(std::move(socket), tls_));
        ends_.emplace_back([passage] { passage->end(); });
        asio::co_spawn(context_, serve_encrypted(std::move(passage)), asio::detached);
      } else {
        auto passage = std::make_shared<Passage<tcp::socket>>(std::move(socket));
        ends_.emplace_back([passage] { passage->end(); });
        asio::co_spawn(context_, serve(std::move(passage)), asio::detached);
      }
    }
  }

  asio::awaitable<void> serve_encrypted(std::shared_ptr<Passage<EncryptedStream>> passage) {
    const auto shaken =
        co_await passage->client.async_handshake(EncryptedStream::server, without_throwing);
    if (std::get<0>(shaken)) {
      passage->end();
      co_return;
    }
    co_await serve(std::move(passage));
  }

  template <typename Stream>
  asio::awaitable<void> serve(std::shared_ptr<Passage<Stream>> passage) {
    const ProxyConduct now = conduct();
    if (now.kind == ProxyConduct::Kind::answer_at_once) {
      co_await say(*passage, now.bytes);
      asio::steady_timer for_ever(context_, asio::steady_timer::time_point::max());
      co_await for_ever.async_wait(without_throwing);
      co_return;
    }
    const auto question = co_await read_question(*passage);
    if (!question.empty()) {
      const std::lock_guard lock(mutex_);
      questions_.push_back(question);
    }
    if (question.empty() || now.kind == ProxyConduct::Kind::answer) {
      co_await say(*passage, now.bytes);
      passage->end();
      co_return;
    }
    co_await lead(std::move(passage), question);
  }

  template <typename Stream>
  asio::awaitable<void> lead(std::shared_ptr<Passage<Stream>> passage, std::string question) {
    const bool is_known = options_.credentials.empty() ||
                          question.find("\r\nProxy-Authorization: Basic " + options_.credentials +
                                        "\r\n") != std::string::npos;
    const tcp::endpoint core(asio::ip::address_v4::loopback(), core_port());
    std::string answer =
        "HTTP/1.1 407 Proxy Authentication Required\r\n"
        "Proxy-Authenticate: Basic realm=\"test\"\r\n\r\n";
    bool is_open = false;
    if (is_known) {
      const auto connected = co_await passage->core.async_connect(core, without_throwing);
      is_open = !std::get<0>(connected);
      answer = is_open ? "HTTP/1.1 200 Connection established\r\n\r\n"
                       : "HTTP/1.1 502 Bad Gateway\r\n\r\n";
    }
    co_await say(*passage, answer);
    if (is_open) {
      co_await (pump(passage->client, passage->core) || pump(passage->core, passage->client));
    }
    passage->end();
  }

  template <typename Stream>
  asio::awaitable<std::string> read_question(Passage<Stream>& passage) {
    std::string question;
    std::string piece(1'024, '\0');
    while (question.find("\r\n\r\n") == std::string::npos) {
      const auto room = asio::buffer(piece);
      const auto got = co_await passage.client.async_read_some(room, without_throwing);
      if (std::get<0>(got)) co_return std::string();
      question.append(piece, 0, std::get<1>(got));
    }
    co_return question;
  }

  template <typename Stream>
  asio::awaitable<void> say(Passage<Stream>& passage, std::string bytes) {
    const auto buffer = asio::buffer(bytes);
    co_await asio::async_write(passage.client, buffer, without_throwing);
  }

  asio::io_context context_;
  asio::ssl::context tls_{asio::ssl::context::tls_server};
  Options options_;
  tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  ProxyConduct conduct_;
  std::vector<std::string> questions_;
  std::vector<std::function<void()>> ends_;
  std::thread thread_;
};

ConnectProxy::ConnectProxy(Options options) : relay_(std::make_unique<Relay>(std::move(options))) {}
ConnectProxy::~ConnectProxy() = default;

std::uint16_t ConnectProxy::port() const {
  return relay_->port();
}
std::string ConnectProxy::url() const {
  return relay_->url();
}
void ConnectProxy::behave(ProxyConduct conduct) {
  relay_->behave(std::move(conduct));
}
void ConnectProxy::lead_to(std::uint16_t core_port) {
  relay_->lead_to(core_port);
}
void ConnectProxy::cut() {
  relay_->cut();
}
std::vector<std::string> ConnectProxy::questions() const {
  return relay_->questions();
}

}  // namespace satellite::tests
