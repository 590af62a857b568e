#include "agent/http/http_listener.hpp"

#include "tests/support/temp_dir.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>

using namespace satellite;
using namespace satellite::agent;
using namespace std::chrono_literals;
using satellite::tests::TempDir;

namespace {

/// A listener and its loop, turned by hand.
class ListenerBench {
 public:
  explicit ListenerBench(ListeningSocket socket)
      : listener_(
            context_, std::move(socket),
            [this](const HttpRequest& request) {
              ++answered;
              HttpResponse response;
              response.body = request.path + "\n" + std::string(body_size, 'b');
              return response;
            },
            exchange_max) {
    boost::asio::co_spawn(context_, listener_.run(), [this](std::exception_ptr) { ended = true; });
  }
  ~ListenerBench() {
    listener_.stop();
    turn_until([this] { return ended; });
  }
  template <typename Condition>
  bool turn_until(Condition condition, std::chrono::milliseconds limit = 30s) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition() && std::chrono::steady_clock::now() < deadline) {
      context_.restart();
      context_.run_for(2ms);
    }
    return condition();
  }

  // Long enough for who speaks, short enough to wait for who does not.
  static constexpr std::chrono::milliseconds exchange_max{300};
  int answered = 0;
  std::size_t body_size = 0;
  bool ended = false;

 private:
  boost::asio::io_context context_;
  HttpListener listener_;
};

UniqueFd connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

void say(const UniqueFd& peer, const std::string& words) {
  const auto sent = ::send(peer.get(), words.data(), words.size(), MSG_NOSIGNAL);
  static_cast<void>(sent);
}

/// Appends what is there; true at the end of it all.
bool read_to_end(const UniqueFd& peer, std::string& text) {
  std::array<char, 4096> piece{};
  for (;;) {
    const auto got = ::recv(peer.get(), piece.data(), piece.size(), 0);
    if (got < 0) return errno != EAGAIN;
    if (got == 0) return true;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
}

ListeningSocket on(const std::string& path) {
  auto socket = listen_on_path(path);
  REQUIRE(socket);
  return *std::move(socket);
}

}  // namespace

TEST_CASE("a unix socket is for owner and group, goes with its listener, and is not taken twice") {
  const TempDir directory;
  const std::string path = (directory.path() / "status.sock").string();
  {
    ListenerBench bench(on(path));
    struct stat facts {};
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0660);
    CHECK(listen_on_path(path).error().code == ErrorCode::unavailable);
    const UniqueFd peer = connect_to(path);
    say(peer, "GET /where HTTP/1.1\r\n\r\n");
    std::string text;
    CHECK(bench.turn_until([&] { return read_to_end(peer, text); }));
    CHECK(text.ends_with("\r\n\r\n/where\n"));
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a socket that a killed process left behind is replaced, anything else is not") {
  const TempDir directory;
  const std::string path = (directory.path() / "status.sock").string();
  {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  CHECK(listen_on_path(path));
  const std::string file = directory.write("file", "mine");
  CHECK(listen_on_path(file).error().code == ErrorCode::invalid_input);
  CHECK(std::filesystem::file_size(file) == 4);
  CHECK(listen_on_path("/" + std::string(200, 'x')).error().code == ErrorCode::invalid_input);
  CHECK(listen_on_path(directory.path() / "none" / "s").error().code == ErrorCode::not_found);
}

TEST_CASE("only loopback addresses are listened on") {
  CHECK(listen_on_loopback("127.0.0.1:0"));
  for (const char* wrong : {"0.0.0.0:80", "192.0.2.1:80", "127.0.0.1", "localhost:80", "[::]:80",
                            "[::1", "127.0.0.1:65536", "127.0.0.1:-1", ":80", ""}) {
    CAPTURE(wrong);
    CHECK(listen_on_loopback(wrong).error().code == ErrorCode::invalid_input);
  }
  CHECK(check_loopback("[::1]:9464"));
  CHECK(check_loopback("127.1.2.3:1"));
}

TEST_CASE("peers that say nothing hold nobody up for longer than their time, however many") {
  const TempDir directory;
  const std::string path = (directory.path() / "status.sock").string();
  ListenerBench bench(on(path));
  std::vector<UniqueFd> silent;
  for (std::size_t i = 0; i < HttpListener::peers_max + 4; ++i) silent.push_back(connect_to(path));
  const UniqueFd honest = connect_to(path);
  say(honest, "GET / HTTP/1.1\r\n\r\n");
  std::string text, nothing;
  CHECK(bench.turn_until([&] { return read_to_end(honest, text); }));
  CHECK(text.find("200 OK") != std::string::npos);
  // Their time was over before the places were free.
  CHECK(read_to_end(silent.front(), nothing));
  CHECK(nothing.empty());
}

TEST_CASE(
    "a request that is too large is answered and read no further, and one peer's end is its own") {
  const TempDir directory;
  const std::string path = (directory.path() / "status.sock").string();
  ListenerBench bench(on(path));
  {
    const UniqueFd gone = connect_to(path);
    say(gone, "GET / HT");
  }
  const UniqueFd large = connect_to(path);
  say(large, "GET /" + std::string(20'000, 'a'));
  std::string text;
  CHECK(bench.turn_until([&] {
    read_to_end(large, text);
    return text.find("\r\n\r\n") != std::string::npos;
  }));
  CHECK(text.starts_with("HTTP/1.1 431 "));
  CHECK(bench.answered == 0);
}

TEST_CASE("a peer that reads nothing of a large answer is left alone") {
  const TempDir directory;
  const std::string path = (directory.path() / "status.sock").string();
  ListenerBench bench(on(path));
  bench.body_size = 8U << 20U;
  const UniqueFd deaf = connect_to(path);
  say(deaf, "GET / HTTP/1.1\r\n\r\n");
  CHECK(bench.turn_until([&] { return bench.answered == 1; }));
  bench.body_size = 0;
  const UniqueFd honest = connect_to(path);
  say(honest, "GET / HTTP/1.1\r\n\r\n");
  std::string text;
  CHECK(bench.turn_until([&] { return read_to_end(honest, text); }));
  CHECK(text.find("200 OK") != std::string::npos);
}
