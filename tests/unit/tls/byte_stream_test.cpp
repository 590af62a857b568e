// One type for TCP, TLS and TLS within TLS: what is written arrives, a read ends when it is
// cancelled or when its loop goes, and the peer is told of the end. Where the peer matters it is
// Asio's own.
#include "tls/byte_stream.hpp"

#include "tests/devcore/temporary_certificate.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

using namespace satellite;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using tls::ByteStream;

namespace {

constexpr auto never_throwing = asio::as_tuple(asio::use_awaitable);

/// Both ends of a TCP connection, and what TLS over it needs.
struct Ends {
  Ends() {
    const auto authority = tls::TemporaryAuthority::create();
    REQUIRE(authority);
    const auto key = authority->sign({});
    REQUIRE(key);
    server_tls.use_certificate(asio::buffer(key->certificate_pem), asio::ssl::context::pem);
    server_tls.use_private_key(asio::buffer(key->key_pem), asio::ssl::context::pem);
    tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
    client.connect(acceptor.local_endpoint());
    acceptor.accept(server);
  }

  asio::ssl::context server_tls{asio::ssl::context::tls_server};
  asio::ssl::context client_tls{asio::ssl::context::tls_client};
  asio::io_context context;
  tcp::socket client{context}, server{context};
};

asio::awaitable<void> encrypt(std::optional<ByteStream>& stream, tcp::socket socket, int layers,
                              asio::ssl::context& context,
                              asio::ssl::stream_base::handshake_type side) {
  stream.emplace(std::move(socket));
  for (int layer = 0; layer < layers; ++layer) {
    stream.emplace(*std::exchange(stream, std::nullopt), context);
    const error_code failure = co_await stream->handshake(side);
    if (failure) throw boost::system::system_error(failure);
  }
}

void rethrow(const std::exception_ptr& thrown) {
  if (thrown) std::rethrow_exception(thrown);
}

/// Both ends as ByteStreams, their handshakes done.
struct Streams : Ends {
  explicit Streams(int layers) {
    asio::co_spawn(
        context,
        encrypt(ours, std::move(client), layers, client_tls, asio::ssl::stream_base::client),
        rethrow);
    asio::co_spawn(
        context,
        encrypt(peer, std::move(server), layers, server_tls, asio::ssl::stream_base::server),
        rethrow);
    context.run();
    context.restart();
  }

  std::optional<ByteStream> ours, peer;
};

/// TLS with a core within TLS with a proxy, by Asio's own streams, and our end of both.
struct ProxyAndCore : Ends {
  ProxyAndCore() {
    asio::co_spawn(context,
                   encrypt(ours, std::move(client), 2, client_tls, asio::ssl::stream_base::client),
                   rethrow);
    proxy.async_handshake(asio::ssl::stream_base::server, [this](error_code) {
      core.async_handshake(asio::ssl::stream_base::server,
                           [](error_code failure) { CHECK(!failure); });
    });
    context.run();
    context.restart();
  }

  asio::ssl::stream<tcp::socket> proxy{std::move(server), server_tls};
  asio::ssl::stream<asio::ssl::stream<tcp::socket>&> core{proxy, server_tls};
  std::optional<ByteStream> ours;
};

}  // namespace

TEST_CASE("what is written in more buffers than one call takes arrives whole and in order") {
  const int layers = GENERATE(0, 1, 2);
  INFO(layers << " layers of TLS");
  Streams streams(layers);
  CHECK((streams.ours->ssl() != nullptr) == (layers > 0));
  std::vector<std::string> parts;
  std::vector<asio::const_buffer> buffers;
  std::string whole;
  for (int i = 0; i < 200; ++i)
    parts.push_back(i % 3 == 0 ? "" : std::string(300, char('a' + i % 26)));
  for (const std::string& part : parts) {
    buffers.emplace_back(part.data(), part.size());
    whole += part;
  }
  error_code written = asio::error::would_block;
  std::string got(whole.size(), ' ');
  asio::async_write(*streams.ours, buffers,
                    [&](error_code failure, std::size_t) { written = failure; });
  asio::async_read(*streams.peer, asio::buffer(got), [](error_code, std::size_t) {});
  streams.context.run();
  CHECK(written == error_code());
  CHECK(got == whole);
}

TEST_CASE("a read that is cancelled ends, through every layer") {
  const int layers = GENERATE(0, 1, 2);
  INFO(layers << " layers of TLS");
  Streams streams(layers);
  std::size_t first = 9;
  const auto reading = [&]() -> asio::awaitable<void> {
    using namespace asio::experimental::awaitable_operators;
    std::array<char, 16> room{};
    const auto buffer = asio::buffer(room);
    asio::steady_timer timer(streams.context, 1ms);
    const auto ended = co_await (streams.ours->async_read_some(buffer, never_throwing) ||
                                 timer.async_wait(never_throwing));
    first = ended.index();
  };
  asio::co_spawn(streams.context, reading(), rethrow);
  streams.context.run();
  CHECK(first == 1);
}

TEST_CASE("a loop may go while a read is under way, through every layer") {
  const int layers = GENERATE(0, 1, 2);
  INFO(layers << " layers of TLS");
  bool is_gone = false, has_ended = false;
  struct Gone {
    bool& is_gone;
    ~Gone() { is_gone = true; }
  };
  {
    Streams streams(layers);
    const auto reading = [&has_ended, &is_gone](ByteStream stream) -> asio::awaitable<void> {
      const Gone gone{is_gone};
      std::array<char, 16> room{};
      const auto buffer = asio::buffer(room);
      co_await stream.async_read_some(buffer, never_throwing);
      has_ended = true;
    };
    asio::co_spawn(streams.context, reading(*std::move(streams.ours)), asio::detached);
    streams.context.poll();
    streams.ours.reset();
    CHECK_FALSE(is_gone);
  }
  CHECK(is_gone);
  CHECK_FALSE(has_ended);
}

TEST_CASE("a peer is told of the end of TLS before TCP ends") {
  Ends ends;
  asio::ssl::stream<tcp::socket> peer(std::move(ends.server), ends.server_tls);
  std::optional<ByteStream> ours;
  asio::co_spawn(
      ends.context,
      encrypt(ours, std::move(ends.client), 1, ends.client_tls, asio::ssl::stream_base::client),
      rethrow);
  peer.async_handshake(asio::ssl::stream_base::server, [](error_code failure) { CHECK(!failure); });
  ends.context.run();
  ends.context.restart();
  const bool is_cut = GENERATE(false, true);
  error_code seen, done = asio::error::would_block;
  std::array<char, 16> room{};
  peer.async_read_some(asio::buffer(room), [&](error_code failure, std::size_t) {
    seen = failure;
    peer.next_layer().close();
  });
  if (is_cut) {
    beast_close_socket(*ours);
  } else {
    async_teardown(boost::beast::role_type::client, *ours,
                   [&](error_code failure) { done = failure; });
  }
  ends.context.run();
  // The control: a connection that is only cut says something else.
  CHECK((seen == error_code(asio::error::eof)) == !is_cut);
  if (!is_cut) CHECK(done == error_code());
}

TEST_CASE("a proxy is told of the end of its TLS after the core was told of the end of its own") {
  ProxyAndCore ends;
  error_code core_saw, proxy_saw;
  std::array<char, 16> room{};
  ends.core.async_read_some(asio::buffer(room), [&](error_code failure, std::size_t) {
    core_saw = failure;
    ends.core.async_shutdown([&](error_code) {
      ends.proxy.async_read_some(asio::buffer(room), [&](error_code end, std::size_t) {
        proxy_saw = end;
        ends.proxy.next_layer().close();
      });
    });
  });
  bool is_over = false;
  async_teardown(boost::beast::role_type::client, *ends.ours, [&](error_code) { is_over = true; });
  ends.context.run();
  CHECK(core_saw == error_code(asio::error::eof));
  CHECK(proxy_saw == error_code(asio::error::eof));
  CHECK(is_over);
}

TEST_CASE("what a proxy says in its own TLS is no sign of life of the core behind it") {
  ProxyAndCore ends;
  std::array<char, 16> room{};
  std::size_t size = 0;
  const auto read = [&] {
    ends.ours->async_read_some(asio::buffer(room),
                               [&](error_code, std::size_t got) { size += got; });
  };
  const auto hear_the_core = [&](std::size_t wanted) {
    asio::async_write(ends.core, asio::buffer("x", 1), [](error_code, std::size_t) {});
    ends.context.restart();
    while (size < wanted && ends.context.run_one_for(30s) > 0) {
    }
    REQUIRE(size == wanted);
  };
  // The first byte comes behind what each TLS says after its handshake.
  read();
  hear_the_core(1);
  read();
  const auto before = ends.ours->last_received();
  REQUIRE(SSL_key_update(ends.proxy.native_handle(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
  bool is_sent = false;
  ends.proxy.async_handshake(asio::ssl::stream_base::server, [&](error_code failure) {
    CHECK(!failure);
    is_sent = true;
  });
  ends.context.restart();
  while (!is_sent && ends.context.run_one_for(30s) > 0) {
  }
  REQUIRE(is_sent);
  // Alone, so that it is not read together with what comes next.
  ends.context.run_for(100ms);
  CHECK(ends.ours->last_received() == before);
  // It was read: what follows it is encrypted by the new key.
  hear_the_core(2);
  CHECK(ends.ours->last_received() == before);
  // The control: what the core says is one, as soon as the next read begins.
  read();
  CHECK(ends.ours->last_received() > before);
}
