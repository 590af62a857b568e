#include "protocol/run_stream.hpp"

#include "protocol/encode.hpp"
#include "tests/devcore/codec/core_codec.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <variant>
#include <vector>

using namespace satellite;
using namespace satellite::protocol;
using namespace satellite::byte_literals;

namespace {

constexpr auto out = OutputStream::standard_output;
constexpr auto err = OutputStream::standard_error;

ScriptStarted start() {
  ScriptStarted message;
  message.sandbox_json = "{}";
  return message;
}

ScriptFinished exited() {
  ScriptFinished message;
  message.outcome = "exited";
  message.sandbox_json = "{}";
  return message;
}

AgentMessage next(RunStream& stream) {
  const auto frame = stream.next_to_send();
  REQUIRE(frame.has_value());
  auto message = devcore::decode_agent_message(*frame);
  REQUIRE(message.has_value());
  return std::move(*message);
}

ScriptOutput next_output(RunStream& stream) {
  return std::get<ScriptOutput>(next(stream));
}

std::string piece(std::size_t size) {
  return std::string(size, 'x');
}

RunStreamBounds bounds(ByteCount window, ByteCount away = 10_MiB) {
  return {window, away};
}

}  // namespace

TEST_CASE("messages of a run are numbered from zero and each stream has its own offset") {
  RunStream stream(RunId("r"));
  stream.started(start());
  stream.output(out, "abc");
  stream.output(err, "de");
  stream.output(out, "f");
  stream.finished(exited());
  CHECK(std::get<ScriptStarted>(next(stream)).seq == 0);
  const ScriptOutput first = next_output(stream);
  CHECK((first.seq == 1 && first.offset == 0 && first.bytes == "abc" && first.stream == out));
  const ScriptOutput second = next_output(stream);
  CHECK((second.seq == 2 && second.offset == 0 && second.bytes == "de" && second.stream == err));
  const ScriptOutput third = next_output(stream);
  CHECK((third.seq == 3 && third.offset == 3 && third.bytes == "f"));
  const auto end = std::get<ScriptFinished>(next(stream));
  CHECK(end.seq == 4);
  CHECK(end.run_id == RunId("r"));
  CHECK_FALSE(stream.next_to_send().has_value());
}

TEST_CASE("a run that never started has nothing but its end, numbered zero") {
  RunStream stream(RunId("r"));
  stream.finished(exited());
  CHECK(std::get<ScriptFinished>(next(stream)).seq == 0);
  CHECK_FALSE(stream.complete());
  CHECK(stream.acknowledge(0).has_value());
  CHECK(stream.complete());
}

TEST_CASE("output waits once the window is full and goes on with the acknowledgement") {
  RunStream stream(RunId("r"), bounds(64_KiB));
  for (int i = 0; i < 4; ++i) stream.output(out, piece(32'768));
  stream.finished(exited());
  CHECK(next_output(stream).seq == 0);
  CHECK(next_output(stream).seq == 1);
  CHECK(stream.in_flight() == 64_KiB);
  CHECK_FALSE(stream.next_to_send().has_value());
  const auto freed = stream.acknowledge(0);
  REQUIRE(freed.has_value());
  CHECK(*freed == 32_KiB);
  CHECK(next_output(stream).seq == 2);
  CHECK_FALSE(stream.next_to_send().has_value());
  CHECK(*stream.acknowledge(2) == 64_KiB);
  CHECK(next_output(stream).seq == 3);
  CHECK(std::get<ScriptFinished>(next(stream)).seq == 4);
  CHECK(*stream.acknowledge(4) == 32_KiB);
  CHECK(stream.complete());
  CHECK(stream.in_flight() == 0_B);
}

TEST_CASE("a chunk larger than the window still goes, alone") {
  RunStream stream(RunId("r"), bounds(1_KiB));
  stream.output(out, piece(32'768));
  stream.output(out, piece(32'768));
  CHECK(next_output(stream).bytes.size() == 32'768);
  CHECK_FALSE(stream.next_to_send().has_value());
  CHECK(stream.acknowledge(0).has_value());
  CHECK(next_output(stream).seq == 1);
}

TEST_CASE("there is no room left to read once a window of output is kept") {
  RunStream stream(RunId("r"), bounds(64_KiB));
  CHECK(stream.room() == 64_KiB);
  stream.output(out, piece(32'768));
  CHECK(stream.room() > 31_KiB);
  CHECK(stream.room() < 32_KiB);
  stream.output(out, piece(32'768));
  CHECK(stream.room() == 0_B);
  CHECK(stream.next_to_send().has_value());
  CHECK(stream.room() == 0_B);
  CHECK(stream.acknowledge(0).has_value());
  CHECK(stream.room() > 31_KiB);
}

TEST_CASE("what is not acknowledged is sent again in order after a reconnect, then the rest") {
  RunStream stream(RunId("r"));
  stream.started(start());
  stream.output(out, "a");
  CHECK(std::get<ScriptStarted>(next(stream)).seq == 0);
  CHECK(next_output(stream).bytes == "a");
  stream.output(out, "b");
  CHECK(next_output(stream).bytes == "b");
  CHECK(stream.acknowledge(0).has_value());
  stream.connection_lost();
  CHECK_FALSE(stream.next_to_send().has_value());
  CHECK(stream.in_flight() == 0_B);
  stream.output(out, "c");
  stream.finished(exited());
  stream.connection_restored();
  const ScriptOutput again = next_output(stream);
  CHECK((again.seq == 1 && again.bytes == "a" && again.offset == 0));
  CHECK(next_output(stream).bytes == "b");
  const ScriptOutput fresh = next_output(stream);
  CHECK((fresh.seq == 3 && fresh.bytes == "c" && fresh.offset == 2));
  CHECK(std::get<ScriptFinished>(next(stream)).seq == 4);
}

TEST_CASE("an acknowledgement of the connection before is honoured while sending again") {
  RunStream stream(RunId("r"));
  for (const char* bytes : {"a", "b", "c"}) {
    stream.output(out, bytes);
    CHECK(next_output(stream).bytes == bytes);
  }
  stream.connection_lost();
  stream.connection_restored();
  CHECK(next_output(stream).bytes == "a");
  const auto freed = stream.acknowledge(1);
  REQUIRE(freed.has_value());
  CHECK(*freed == 1_B);  // "b" was not in flight on this connection
  CHECK(next_output(stream).bytes == "c");
  CHECK(stream.in_flight() == 1_B);
}

TEST_CASE("a core that asks again on the same connection gets everything it may lack") {
  RunStream stream(RunId("r"));
  stream.output(out, "a");
  CHECK(next_output(stream).seq == 0);
  CHECK_FALSE(stream.next_to_send().has_value());
  stream.send_again();
  CHECK(next_output(stream).seq == 0);
}

TEST_CASE("an acknowledgement of what was never sent changes nothing") {
  RunStream stream(RunId("r"));
  CHECK(stream.acknowledge(0).error().code == ErrorCode::invalid_input);
  stream.output(out, "a");
  CHECK(stream.acknowledge(0).error().code == ErrorCode::invalid_input);
  CHECK(next_output(stream).seq == 0);
  CHECK(stream.acknowledge(1).error().code == ErrorCode::invalid_input);
  CHECK(stream.acknowledge(~std::uint64_t{0}).error().code == ErrorCode::invalid_input);
  CHECK(stream.in_flight() == 1_B);
  CHECK(*stream.acknowledge(0) == 1_B);
  CHECK(*stream.acknowledge(0) == 0_B);
}

TEST_CASE("unsent output of one stream is merged into chunks, sent output never changes") {
  RunStream stream(RunId("r"));
  stream.connection_lost();
  for (int i = 0; i < 100'000; ++i) stream.output(out, "x");
  stream.output(err, "e");
  stream.output(out, "y");
  stream.connection_restored();
  std::vector<std::size_t> sizes;
  for (int i = 0; i < 4; ++i) sizes.push_back(next_output(stream).bytes.size());
  CHECK(sizes == std::vector<std::size_t>{32'768, 32'768, 32'768, 100'000 - 3 * 32'768});
  CHECK(next_output(stream).stream == err);
  CHECK(next_output(stream).bytes == "y");
  stream.output(out, "z");
  const ScriptOutput last = next_output(stream);
  CHECK((last.bytes == "z" && last.seq == 6 && last.offset == 100'001));
}

TEST_CASE("output that alternates byte by byte while the core is away runs out of room") {
  RunStream stream(RunId("r"), bounds(64_KiB, 64_KiB));
  stream.connection_lost();
  std::size_t bytes = 0;
  while (stream.room() > 0_B && bytes < 64 * 1024) {
    stream.output(bytes % 2 == 0 ? out : err, "x");
    ++bytes;
  }
  // Each message is charged what it costs to keep it, so memory stays near the bound.
  CHECK(bytes < 2'000);
  CHECK(bytes > 500);
}

TEST_CASE("a piece beyond the chunk limit is cut between code points") {
  RunStream stream(RunId("r"));
  std::string text = "x";
  for (int i = 0; i < 20'000; ++i) text += "\xc3\xa9";
  stream.output(out, text);
  const ScriptOutput first = next_output(stream);
  CHECK(first.bytes.size() == 32'767);
  CHECK(first.bytes + next_output(stream).bytes == text);
  stream.output(out, std::string(40'000, '\x80'));
  CHECK(next_output(stream).bytes.size() == 32'768);
}

TEST_CASE("no bytes make no message") {
  RunStream stream(RunId("r"));
  stream.output(out, "");
  CHECK_FALSE(stream.next_to_send().has_value());
}

TEST_CASE("what was taken for the disk changes no more and goes out as it was taken") {
  RunStream stream(RunId("r"));
  stream.started(start());
  stream.output(out, "abc");
  const auto first = stream.take_unstored(stream.next_seq());
  REQUIRE(first.size() == 2);
  CHECK((first[0].seq == 0 && first[1].seq == 1));
  // Otherwise it would be merged with what is there.
  stream.output(out, "def");
  CHECK(stream.take_unstored(2).empty());
  const auto second = stream.take_unstored(stream.next_seq());
  REQUIRE(second.size() == 1);
  CHECK(second[0].seq == 2);
  for (const auto& taken : {first[0], first[1], second[0]}) {
    CHECK(stream.next_to_send() == taken.frame);
  }
  CHECK(stream.acknowledge(1));
  CHECK(stream.take_unstored(stream.next_seq()).empty());
  stream.forget_stored();
  CHECK(stream.take_unstored(stream.next_seq()).size() == 1);
}

TEST_CASE("nothing is sent that the next process could not count, nor an end it does not know of") {
  RunStream stream(RunId("r"));
  stream.set_send_bound(0);
  stream.hold_end();
  stream.started(start());
  stream.output(out, "abc");
  stream.finished(exited());
  CHECK_FALSE(stream.next_to_send());
  stream.set_send_bound(1);
  CHECK(std::get<ScriptStarted>(next(stream)).seq == 0);
  CHECK_FALSE(stream.next_to_send());
  stream.set_send_bound(64);
  CHECK(next_output(stream).seq == 1);
  CHECK_FALSE(stream.next_to_send());
  stream.release_end();
  CHECK(std::get<ScriptFinished>(next(stream)).seq == 2);
}

TEST_CASE("a stream of an earlier process goes out in order and leaves out what was lost") {
  RunStream before(RunId("r"));
  before.started(start());
  before.output(out, "abc");
  auto frames = before.take_unstored(before.next_seq());
  ScriptFinished end = exited();
  end.run_id = RunId("r");
  end.outcome = "interrupted";
  end.seq = 64;
  frames.push_back({64, encode(end)});
  RunStream stream(RunId("r"), {}, std::move(frames));
  CHECK(stream.ended());
  CHECK(std::get<ScriptStarted>(next(stream)).seq == 0);
  CHECK(next_output(stream).bytes == "abc");
  CHECK(std::get<ScriptFinished>(next(stream)).seq == 64);
  CHECK_FALSE(stream.next_to_send());
  stream.connection_lost();
  stream.connection_restored();
  CHECK(std::get<ScriptStarted>(next(stream)).seq == 0);
  CHECK(stream.acknowledge(1));
  CHECK(std::get<ScriptFinished>(next(stream)).seq == 64);
  // The core had some of what is lost here.
  CHECK(stream.acknowledge(40));
  CHECK_FALSE(stream.acknowledge(65));
  CHECK_FALSE(stream.complete());
  CHECK(stream.acknowledge(64));
  CHECK(stream.complete());
}
