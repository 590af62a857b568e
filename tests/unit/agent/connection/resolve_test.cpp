#include "agent/connection/resolve.hpp"
#include "agent/connection/tcp_connect.hpp"
#include "tests/unit/agent/connection/link_fixture.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <boost/asio/ip/tcp.hpp>
#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;
using boost::asio::ip::make_address;
using boost::asio::ip::tcp;

namespace {

using Endpoints = std::vector<tcp::endpoint>;

Result<Endpoints> resolved(const std::string& url) {
  boost::asio::io_context context;
  return run(context, resolve(parse_core_url(url)->host_and_port(), Resolver::builtin,
                              std::chrono::steady_clock::now() + 10s));
}

tcp::endpoint at(const char* address) {
  return {make_address(address), 443};
}

}  // namespace

TEST_CASE("addresses and localhost are resolved without asking anybody") {
  CHECK(*resolved("https://192.0.2.7:8443") == Endpoints{{make_address("192.0.2.7"), 8443}});
  CHECK(*resolved("https://[2001:db8::1]") == Endpoints{at("2001:db8::1")});
  CHECK(*resolved("http://localhost:443") == Endpoints{at("127.0.0.1"), at("::1")});
}

TEST_CASE("a name that cannot exist is an error that names it") {
  // RFC 6761 reserves .invalid; on a host without name servers the lookup itself fails.
  const auto endpoints = resolved("https://core.invalid");
  REQUIRE_FALSE(endpoints);
  CHECK(endpoints.error().message.find("core.invalid") != std::string::npos);
  const bool is_expected = endpoints.error().code == ErrorCode::not_found ||
                           endpoints.error().code == ErrorCode::unavailable ||
                           endpoints.error().code == ErrorCode::timed_out;
  CHECK(is_expected);
}

TEST_CASE("a deadline that has passed ends a lookup at once") {
  boost::asio::io_context context;
  const auto begun = std::chrono::steady_clock::now();
  const auto endpoints =
      run(context, resolve(parse_core_url("https://core.invalid")->host_and_port(),
                           Resolver::builtin, begun - 1ms));
  REQUIRE_FALSE(endpoints);
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
}

TEST_CASE("address families take turns, beginning with the resolver's favourite") {
  const Endpoints given{at("2001:db8::1"), at("2001:db8::2"), at("2001:db8::3"), at("192.0.2.1")};
  CHECK(interleaved(given) ==
        Endpoints{at("2001:db8::1"), at("192.0.2.1"), at("2001:db8::2"), at("2001:db8::3")});
  CHECK(interleaved({}).empty());
}

TEST_CASE("an address that refuses costs nothing: the next one is tried at once") {
  boost::asio::io_context context;
  tcp::acceptor acceptor(context, tcp::endpoint(make_address("127.0.0.1"), 0));
  const std::uint16_t port = acceptor.local_endpoint().port();
  // Nobody listens on this port at the second address.
  const Endpoints endpoints{{make_address("127.0.0.2"), port}, {make_address("127.0.0.1"), port}};
  const auto begun = std::chrono::steady_clock::now();
  const auto socket = run(context, tcp_connect(endpoints, begun + 10s, 5s));
  REQUIRE(socket);
  CHECK(socket->remote_endpoint().address() == make_address("127.0.0.1"));
  CHECK(std::chrono::steady_clock::now() - begun < 3s);
}

TEST_CASE("an address that never answers costs one stagger, not a TCP timeout") {
  boost::asio::io_context context;
  // A listener whose queue is full drops further handshakes silently, as a black hole does.
  tcp::acceptor deaf(context);
  deaf.open(tcp::v4());
  deaf.bind({make_address("127.0.0.1"), 0});
  deaf.listen(0);
  std::vector<tcp::socket> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.emplace_back(context);
    fillers.back().open(tcp::v4());
    fillers.back().native_non_blocking(true);
    // Asio's own connect would wait for the answer that never comes.
    const tcp::endpoint endpoint = deaf.local_endpoint();
    ::connect(fillers.back().native_handle(), endpoint.data(),
              static_cast<socklen_t>(endpoint.size()));
  }
  const auto begun = std::chrono::steady_clock::now();
  const auto alone = run(context, tcp_connect({deaf.local_endpoint()}, begun + 300ms));
  REQUIRE_FALSE(alone);
  CHECK(name_of(alone.error().code) == "timed_out");

  tcp::acceptor acceptor(context, tcp::endpoint(make_address("127.0.0.1"), 0));
  const auto again = std::chrono::steady_clock::now();
  const auto socket = run(
      context, tcp_connect({deaf.local_endpoint(), acceptor.local_endpoint()}, again + 10s, 100ms));
  REQUIRE(socket);
  CHECK(socket->remote_endpoint() == acceptor.local_endpoint());
  CHECK(std::chrono::steady_clock::now() - again >= 100ms);
  CHECK(std::chrono::steady_clock::now() - again < 5s);
}

TEST_CASE("the connected socket does not leak into programs that are started") {
  boost::asio::io_context context;
  tcp::acceptor acceptor(context, tcp::endpoint(make_address("127.0.0.1"), 0));
  auto socket = run(
      context, tcp_connect({acceptor.local_endpoint()}, std::chrono::steady_clock::now() + 10s));
  REQUIRE(socket);
  CHECK((::fcntl(socket->native_handle(), F_GETFD) & FD_CLOEXEC) != 0);
}
