#include "tests/unit/agent/connection/link_fixture.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;
using namespace boost::asio::experimental::awaitable_operators;
using devcore::Misbehaviour;

namespace {

HeartbeatPolicy::Settings quick() {
  return {20ms, 400ms, 200ms};
}

/// Reads until the link ends; gives the error.
boost::asio::awaitable<Error> read_to_the_end(WebSocketLink& link) {
  for (;;) {
    const auto frame = co_await link.read();
    if (!frame) co_return frame.error();
  }
}

boost::asio::awaitable<void> close(WebSocketLink& link) {
  co_await link.close(CloseCode::normal, "done");
}

struct Ends {
  Error read, keep_alive;
};

boost::asio::awaitable<Ends> both_ends(WebSocketLink& link) {
  auto ends = co_await (read_to_the_end(link) && link.keep_alive());
  co_return Ends{std::get<0>(ends), std::get<1>(ends)};
}

/// What the core noted last about a connection that ended.
std::string last_goodbye(const devcore::DevCore& core) {
  const bool came = core.ledger().wait(
      10s, [](const devcore::Ledger& ledger) { return ledger.goodbye_count_locked() > 0; });
  REQUIRE(came);
  return core.ledger().goodbyes().back();
}

}  // namespace

TEST_CASE("frames arrive whole in both directions, from one byte to sixteen MiB") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto link = authenticated_link(context, *core);
  link->set_frame_size_max(limits::frame_size_max);
  const std::size_t size =
      GENERATE(std::size_t{1}, std::size_t{125}, std::size_t{126}, std::size_t{65'535},
               std::size_t{65'536}, std::size_t{16U << 20U});
  const std::string frame(size, 'x');
  core->push_text(frame);
  const auto got = run(context, link->read());
  REQUIRE(got);
  CHECK(*got == frame);
  REQUIRE(run(context, link->write(frame)));
  const bool arrived = core->ledger().wait(60s, [size](const devcore::Ledger& ledger) {
    return ledger.counters_locked().bytes >= size + std::string(authenticate_frame).size();
  });
  CHECK(arrived);
}

TEST_CASE(
    "a frame above the limit in force ends the connection with code 1009, one at it does not") {
  boost::asio::io_context context;
  devcore::Settings settings = core_settings();
  settings.transport = GENERATE(devcore::Transport::tls, devcore::Transport::plain);
  const auto core = start_core(std::move(settings));
  const auto link = authenticated_link(context, *core);
  const ByteCount limit = GENERATE(1_KiB, 64_KiB);
  link->set_frame_size_max(limit);
  core->push_text(std::string(limit.value, 'x'));
  REQUIRE(run(context, link->read()));
  core->push_text(std::string(limit.value + 1, 'x'));
  const auto got = run(context, link->read());
  REQUIRE_FALSE(got);
  INFO(got.error().message);
  CHECK(name_of(got.error().code) == "limit_exceeded");
  CHECK(contains(got.error().message, std::to_string(limit.value)));
  const std::string goodbye = last_goodbye(*core);
  // The kernel answers what nobody read with a reset, which may overtake the close frame; of the
  // small frame everything was read.
  if (limit == 1_KiB) CHECK(contains(goodbye, "1009"));
}

TEST_CASE("a fresh link refuses the seventeen MiB that no honest core sends") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto link = authenticated_link(context, *core);
  core->misbehave(Misbehaviour::oversize_frame);
  const auto got = run(context, link->read());
  REQUIRE_FALSE(got);
  INFO(got.error().message);
  CHECK(name_of(got.error().code) == "limit_exceeded");
}

TEST_CASE("many small fragments that add up to too much are refused as well") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto link = authenticated_link(context, *core);
  link->set_frame_size_max(64_KiB);
  core->misbehave(Misbehaviour::endless_fragments);
  const auto got = run(context, link->read());
  REQUIRE_FALSE(got);
  INFO(got.error().message);
  CHECK(name_of(got.error().code) == "limit_exceeded");
}

TEST_CASE("a core that breaks the limit and then never says goodbye is cut") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto link = authenticated_link(context, *core, {20ms, 10s, 200ms});
  link->set_frame_size_max(1_KiB);
  core->misbehave(Misbehaviour::stall);
  REQUIRE(core->wait_until_stalled());
  core->push_text(std::string(2'000, 'x'));
  const Ends ends = run(context, both_ends(*link));
  CHECK(name_of(ends.keep_alive.code) == "timed_out");
  CHECK(name_of(ends.read.code) == "limit_exceeded");
}

TEST_CASE("a core that goes on talking but takes nothing any more is dead too") {
  boost::asio::io_context context;
  const auto core = start_core();
  // Long enough that a busy machine, which may hold up the core's thread, is not taken for silence.
  const auto link = authenticated_link(context, *core, {20ms, 10s, 200ms});
  core->misbehave(Misbehaviour::chatter);
  REQUIRE(core->wait_until_stalled());
  const auto ends = run(context, link->write(std::string(15U << 20U, 'x')) && both_ends(*link));
  REQUIRE_FALSE(std::get<0>(ends));
  INFO(std::get<0>(ends).error().message);
  CHECK(name_of(std::get<0>(ends).error().code) == "timed_out");
  CHECK(contains(std::get<0>(ends).error().message, "has not taken a frame"));
}

TEST_CASE("a frame that is no UTF-8 breaks the protocol") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto link = authenticated_link(context, *core);
  core->push_text("{\"type\":\"\xff\"}");
  const auto got = run(context, link->read());
  REQUIRE_FALSE(got);
  CHECK(name_of(got.error().code) == "invalid_input");
}

TEST_CASE("pings keep a silent but living core alive far beyond the silence limit") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto link = authenticated_link(context, *core, {20ms, 4s, 200ms});
  boost::asio::steady_timer timer(context, 10s);
  const auto first = run(context, timer.async_wait(boost::asio::use_awaitable) || both_ends(*link));
  CHECK(first.index() == 0);
}

TEST_CASE("a core that falls silent is dead after the limit, and the connection is cut") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto link = authenticated_link(context, *core, quick());
  core->misbehave(Misbehaviour::stall);
  REQUIRE(core->wait_until_stalled());
  const auto begun = std::chrono::steady_clock::now();
  const Ends ends = run(context, both_ends(*link));
  const auto took = std::chrono::steady_clock::now() - begun;
  CHECK(name_of(ends.keep_alive.code) == "timed_out");
  CHECK(ends.read == ends.keep_alive);
  CHECK(took >= 300ms);
  CHECK(took < 30s);
}

TEST_CASE("a core that takes nothing any more does not hold a write for ever") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto link = authenticated_link(context, *core, quick());
  core->misbehave(Misbehaviour::stall);
  REQUIRE(core->wait_until_stalled());
  // Far more than the socket buffers of both sides hold.
  const auto ends = run(context, link->write(std::string(15U << 20U, 'x')) && both_ends(*link));
  REQUIRE_FALSE(std::get<0>(ends));
  CHECK(name_of(std::get<0>(ends).error().code) == "timed_out");
}

TEST_CASE("closing is a handshake: the core sees code and reason, the pending read returns") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto link = authenticated_link(context, *core);
  const Ends ends = run(context, both_ends(*link) && close(*link));
  CHECK(name_of(ends.read.code) == "cancelled");
  CHECK(name_of(ends.keep_alive.code) == "cancelled");
  CHECK(last_goodbye(*core) == "closed with code 1000 done");
  REQUIRE(core->wait_until_disconnected());
  run(context, link->close(CloseCode::normal, "again"));
}

TEST_CASE("a reason longer than a close frame is cut") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto link = authenticated_link(context, *core);
  run(context, link->close(CloseCode::going_away, std::string(500, 'r')));
  CHECK(last_goodbye(*core) == "closed with code 1001 " + std::string(123, 'r'));
}

TEST_CASE("closing against a core that does not answer is bounded") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto link = authenticated_link(context, *core, {15s, 45s, 200ms});
  core->misbehave(Misbehaviour::stall);
  REQUIRE(core->wait_until_stalled());
  const auto begun = std::chrono::steady_clock::now();
  run(context, link->close(CloseCode::normal, ""));
  CHECK(std::chrono::steady_clock::now() - begun < 14s);  // silence would be noticed after 45
}

TEST_CASE("a binary frame ends the connection with code 1003, a text frame of the same does not") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto link = authenticated_link(context, *core);
  core->push_text("{}");
  CHECK(run(context, link->read()));
  core->misbehave(Misbehaviour::binary_frame);
  const Ends ends = run(context, both_ends(*link));
  INFO(ends.read.message);
  CHECK(name_of(ends.read.code) == "invalid_input");
  CHECK(contains(ends.read.message, "binary frame"));
  CHECK(ends.keep_alive == ends.read);
  CHECK(contains(last_goodbye(*core), "closed with code 1003"));
  run(context, link->close(CloseCode::normal, ""));
}

TEST_CASE("a close code that nobody can have is answered with 1002 and never echoed") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto link = authenticated_link(context, *core);
  core->misbehave(Misbehaviour::close_5000);
  const Ends ends = run(context, both_ends(*link));
  INFO(ends.read.message);
  CHECK(name_of(ends.read.code) == "invalid_input");
  CHECK(contains(ends.read.message, "close code 5000"));
  CHECK(contains(last_goodbye(*core), "closed with code 1002"));
  run(context, link->close(CloseCode::normal, ""));
}

TEST_CASE("how the core goes is told apart") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto link = authenticated_link(context, *core);
  const auto [misbehaviour, part] = GENERATE(table<Misbehaviour, std::string>({
      {Misbehaviour::close, "code 1001"},
      {Misbehaviour::reset, "without a closing handshake"},
  }));
  core->misbehave(misbehaviour);
  const Ends ends = run(context, both_ends(*link));
  INFO(ends.read.message);
  CHECK(name_of(ends.read.code) == "unavailable");
  CHECK(contains(ends.read.message, part));
  CHECK(ends.keep_alive == ends.read);
  run(context, link->close(CloseCode::normal, ""));
}

TEST_CASE("garbage and deep JSON are frames like any other: judging them is the decoder's part") {
  boost::asio::io_context context;
  const auto core = start_core();
  const auto link = authenticated_link(context, *core);
  core->misbehave(Misbehaviour::garbage);
  core->misbehave(Misbehaviour::deep_json);
  const auto garbage = run(context, link->read());
  const auto deep = run(context, link->read());
  REQUIRE(garbage);
  REQUIRE(deep);
  CHECK(deep->size() == 20'000);
}
