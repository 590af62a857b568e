#include "agent/outbound/outbox.hpp"
#include "tests/unit/agent/outbound/memory_outbox.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <vector>

using namespace satellite;
using namespace satellite::agent;

namespace {

protocol::CheckResult result_of_size(std::size_t bytes, const std::string& id = "c") {
  protocol::CheckResult result;
  result.config_id = ConfigId(id);
  result.result_json = "\"" + std::string(bytes, 'x') + "\"";
  return result;
}

std::vector<std::string> all_frames(Outbox& outbox) {
  std::vector<std::string> frames;
  for (auto next = tests::next_delivered(outbox); next; next = tests::next_delivered(outbox)) {
    frames.push_back(*next);
  }
  return frames;
}

}  // namespace

TEST_CASE("results wait for the core in order, requests of a connection end with it") {
  boost::asio::io_context context;
  Store store(context, tests::memory_only());
  Outbox outbox(context, store, {});
  outbox.push(result_of_size(1, "first"));
  outbox.push_for_this_connection(protocol::Heartbeat{"1", {}, {}});
  CHECK_FALSE(outbox.next());
  outbox.connection_up({});
  outbox.push_for_this_connection(protocol::Heartbeat{"2", {}, {}});
  outbox.push(result_of_size(1, "second"));
  outbox.connection_lost();
  CHECK_FALSE(outbox.next());
  outbox.connection_up({});
  const auto frames = all_frames(outbox);
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].find("first") != std::string::npos);
  CHECK(frames[1].find("second") != std::string::npos);
}

TEST_CASE("what a connection did not take goes out first on the next one") {
  boost::asio::io_context context;
  Store store(context, tests::memory_only());
  Outbox outbox(context, store, {});
  outbox.connection_up({});
  outbox.push(result_of_size(1, "first"));
  outbox.push(result_of_size(1, "second"));
  outbox.not_sent(outbox.next()->kept_as);
  outbox.connection_lost();
  outbox.connection_up({});
  const auto frames = all_frames(outbox);
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].find("first") != std::string::npos);
}

TEST_CASE("what meant something on a broken connection only is not said on the next one") {
  boost::asio::io_context context;
  Store store(context, tests::memory_only());
  Outbox outbox(context, store, {});
  outbox.connection_up({});
  outbox.push_for_this_connection(protocol::Heartbeat{"1", {}, {}});
  outbox.push(result_of_size(1, "kept"));
  // The writer had taken both when the connection broke.
  auto heartbeat = outbox.next();
  auto result = outbox.next();
  REQUIRE(heartbeat);
  REQUIRE(result);
  outbox.not_sent(result->kept_as);
  outbox.not_sent(heartbeat->kept_as);
  outbox.connection_lost();
  outbox.connection_up({});
  const auto frames = all_frames(outbox);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].find("kept") != std::string::npos);
}

TEST_CASE("results that nobody fetches are bounded by count and bytes, the oldest go first") {
  const auto [size, kept_min, kept_max] = GENERATE(
      table<std::size_t, std::size_t, std::size_t>({{10, 4'096, 4'096}, {1U << 20U, 60, 64}}));
  boost::asio::io_context context;
  Store store(context, tests::memory_only());
  Outbox outbox(context, store, {});
  constexpr std::size_t pushed = 5'000;
  const std::size_t count = size > 1'000 ? 100 : pushed;
  for (std::size_t i = 0; i < count; ++i) outbox.push(result_of_size(size, std::to_string(i)));
  outbox.connection_up({});
  auto frames = all_frames(outbox);
  // The gap comes first, once for all.
  const auto dropped = std::to_string(outbox.dropped_messages());
  CHECK(frames.front().find(R"("message":")" + dropped + " messages from ") != std::string::npos);
  frames.erase(frames.begin());
  CHECK(frames.front().find("result") != std::string::npos);
  CHECK(frames.size() >= kept_min);
  CHECK(frames.size() <= kept_max);
  CHECK(outbox.dropped_messages() == count - frames.size());
  CHECK(frames.back().find("\"" + std::to_string(count - 1) + "\"") != std::string::npos);
}

namespace {

/// A run that said that it started and something more.
void begin_run(Outbox& outbox, const RunId& id) {
  auto& stream = outbox.open(id, {});
  stream.started({});
  stream.output(protocol::OutputStream::standard_output, "hi");
  outbox.stream_changed(id);
}

}  // namespace

TEST_CASE("a core that reads frames in order gets a short run at once, a long one's start soon") {
  boost::asio::io_context context;
  Store store(context, tests::memory_only());
  Outbox outbox(context, store, {});
  outbox.connection_up({true, false, true});
  CHECK(outbox.may_write_together());
  const auto begun = std::chrono::steady_clock::now();
  const RunId brief("brief"), lasting("lasting");
  begin_run(outbox, brief);
  begin_run(outbox, lasting);
  context.poll();
  // Neither may the one that is held keep back what has nothing to do with it.
  outbox.push(result_of_size(1, "other"));
  const std::size_t at_first = all_frames(outbox).size();
  outbox.find(brief)->finished({});
  outbox.stream_finished(brief, "{}");
  context.poll();
  const std::size_t of_the_brief = all_frames(outbox).size();
  // On a busy machine the time of both may be over by now, which is no fault.
  if (std::chrono::steady_clock::now() - begun < std::chrono::milliseconds(4)) {
    CHECK(at_first == 1);
    CHECK(of_the_brief == 3);
  }
  std::size_t all = at_first + of_the_brief;
  CHECK(all >= 4);
  // Only time lets the other go.
  for (int i = 0; all < 6 && i < 1'000; ++i) {
    context.restart();
    context.run_one_for(std::chrono::milliseconds(50));
    all += all_frames(outbox).size();
  }
  CHECK(all == 6);
}

TEST_CASE("runs and results of checks take turns, so that neither keeps the other waiting") {
  boost::asio::io_context context;
  Store store(context, tests::memory_only());
  Outbox outbox(context, store, {});
  outbox.connection_up({true, false, false});
  begin_run(outbox, RunId("one"));
  context.poll();
  for (int i = 0; i < 4; ++i) outbox.push(result_of_size(1));
  std::string order;
  for (const auto& frame : all_frames(outbox)) {
    order += frame.find("script_") != std::string::npos ? 'r' : 'c';
  }
  CHECK(order == "crcrcc");
}

TEST_CASE("a core that does not say that it reads in order hears of a start at once") {
  boost::asio::io_context context;
  Store store(context, tests::memory_only());
  Outbox outbox(context, store, {});
  outbox.connection_up({true, false, false});
  CHECK_FALSE(outbox.may_write_together());
  begin_run(outbox, RunId("one"));
  context.poll();
  CHECK(all_frames(outbox).size() == 2);
}
