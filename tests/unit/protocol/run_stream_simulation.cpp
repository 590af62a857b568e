#include "tests/unit/protocol/run_stream_simulation.hpp"

#include "protocol/run_stream.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "tests/devcore/codec/core_codec.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <variant>
#include <vector>

namespace satellite::tests {
namespace {

using namespace satellite::protocol;
using namespace satellite::byte_literals;

/// The core: takes each message once, in order, and says where that fails.
class Receiver {
 public:
  void take(const std::string& frame) {
    auto message = devcore::decode_agent_message(frame);
    if (!message) return fail("unreadable: " + message.error().message);
    if (const auto* start = std::get_if<ScriptStarted>(&*message)) {
      if (is_new(start->seq) && start->seq != 0) fail("started is not the first message");
    } else if (const auto* output = std::get_if<ScriptOutput>(&*message)) {
      take_output(*output);
    } else if (const auto* end = std::get_if<ScriptFinished>(&*message)) {
      if (is_new(end->seq)) finished_ = true;
    } else {
      fail("a message that is none of the run's");
    }
  }

  std::uint64_t expected() const { return expected_; }
  bool finished() const { return finished_; }
  const std::string& bytes(std::size_t stream) const { return bytes_[stream]; }
  const std::optional<std::string>& failure() const { return failure_; }

 private:
  void take_output(const ScriptOutput& output) {
    std::string& bytes = bytes_[output.stream == OutputStream::standard_output ? 0 : 1];
    if (output.bytes.empty()) fail("a chunk without bytes");
    if (is_new(output.seq)) {
      if (finished_) fail("output after the end");
      if (output.offset != bytes.size()) fail("a gap in a stream");
      bytes += output.bytes;
    } else if (output.offset + output.bytes.size() > bytes.size() ||
               bytes.compare(output.offset, output.bytes.size(), output.bytes) != 0) {
      fail("a repeated chunk differs from its first");
    }
  }

  bool is_new(std::uint64_t seq) {
    if (seq > expected_) fail("a gap in seq");
    if (seq != expected_) return false;
    ++expected_;
    return true;
  }

  void fail(std::string why) {
    if (!failure_) failure_ = std::move(why);
  }

  std::uint64_t expected_ = 0;
  bool finished_ = false;
  std::array<std::string, 2> bytes_;
  std::optional<std::string> failure_;
};

class Simulation {
 public:
  Simulation(std::string_view choices, ByteCount window) : choices_(choices), window_(window) {
    RunStreamBounds bounds;
    bounds.window = window;
    stream_.emplace(RunId("run"), bounds);
  }

  std::optional<std::string> run() {
    if (choose() % 4 != 0) start();
    while (!choices_.empty() && !failure()) step();
    drain();
    return failure();
  }

 private:
  std::uint8_t choose() {
    if (choices_.empty()) return 0;
    const auto choice = static_cast<std::uint8_t>(choices_.front());
    choices_.remove_prefix(1);
    return choice;
  }

  void start() {
    ScriptStarted message;
    message.sandbox_json = "{}";
    stream_->started(std::move(message));
  }

  void step() {
    switch (choose() % 8) {
      case 0:
      case 1:
        return produce();
      case 2:
        return send(choose() % 8);
      case 3:
        return deliver(choose() % 8);
      case 4:
        return acknowledge();
      case 5:
        return lie();
      case 6:
        return change_connection();
      default:
        return finish_or_repeat();
    }
  }

  void produce() {
    if (finished_) return;
    const std::size_t stream = choose() % 2;
    // Up to one and a half windows, mostly a hundredth of one.
    const std::size_t part = choose();
    const std::size_t size = part * window_.value / (choose() % 16 == 0 ? 160 : 21'845);
    // Plain text, all of it different from its neighbours: this is about order, not escapes.
    std::string bytes(size, static_cast<char>('A' + choose() % 26));
    for (std::size_t i = 0; i < bytes.size(); i += 7) bytes[i] = static_cast<char>('a' + i % 26);
    produced_[stream] += bytes;
    stream_->output(stream == 0 ? OutputStream::standard_output : OutputStream::standard_error,
                    std::move(bytes));
  }

  void send(std::size_t frames_max) {
    for (std::size_t i = 0; i < frames_max; ++i) {
      auto frame = stream_->next_to_send();
      if (!frame) return;
      if (!connected_) fail("a frame for a core that is away");
      // A single chunk always fits.
      if (stream_->in_flight() > std::max(window_, limits::output_chunk_size_max)) {
        fail("more in flight than the window");
      }
      on_the_way_.push_back(std::move(*frame));
    }
  }

  void deliver(std::size_t frames_max) {
    for (std::size_t i = 0; i < frames_max && !on_the_way_.empty(); ++i) {
      receiver_.take(on_the_way_.front());
      on_the_way_.pop_front();
    }
  }

  void acknowledge() {
    if (!connected_ || receiver_.expected() == 0) return;
    const std::uint64_t highest = receiver_.expected() - 1;
    // An acknowledgement may also be old.
    const std::uint64_t seq = highest - choose() % (highest + 1);
    if (!stream_->acknowledge(seq)) fail("an honest acknowledgement was refused");
  }

  void lie() {
    const std::uint64_t room_before = stream_->room().value;
    const bool believed = stream_->acknowledge(~std::uint64_t{0} - choose()).has_value();
    if (believed || stream_->room().value != room_before) fail("a lie was believed");
  }

  void change_connection() {
    connected_ = !connected_;
    if (connected_) {
      stream_->connection_restored();
    } else {
      // Some of what was on its way may still arrive before the line is dead.
      deliver(choose() % 4);
      on_the_way_.clear();
      stream_->connection_lost();
    }
  }

  void finish_or_repeat() {
    if (choose() % 2 == 0 && connected_) return stream_->send_again();
    if (!finished_ && choose() % 8 == 0) finish();
  }

  void finish() {
    finished_ = true;
    ScriptFinished message;
    message.outcome = "exited";
    message.sandbox_json = "{}";
    stream_->finished(std::move(message));
  }

  void drain() {
    if (!connected_) change_connection();
    if (!finished_) finish();
    // Every round moves at least one message, so a stream that stands still runs out of rounds.
    for (std::size_t rounds = 0; rounds < 100'000 && !stream_->complete() && !failure(); ++rounds) {
      send(16);
      deliver(16);
      if (receiver_.expected() > 0 && !stream_->acknowledge(receiver_.expected() - 1)) {
        fail("an honest acknowledgement was refused");
      }
    }
    if (!stream_->complete()) fail("the stream stands still");
    if (!receiver_.finished()) fail("the end did not arrive");
    for (const std::size_t stream : {0U, 1U}) {
      if (receiver_.bytes(stream) != produced_[stream]) fail("bytes were lost");
    }
    if (stream_->in_flight() != 0_B || stream_->room() != window_) fail("the books do not balance");
  }

  void fail(std::string why) {
    if (!failure_) failure_ = std::move(why);
  }
  std::optional<std::string> failure() const { return failure_ ? failure_ : receiver_.failure(); }

  std::string_view choices_;
  ByteCount window_;
  std::optional<RunStream> stream_;
  Receiver receiver_;
  std::deque<std::string> on_the_way_;
  std::array<std::string, 2> produced_;
  bool connected_ = true;
  bool finished_ = false;
  std::optional<std::string> failure_;
};

}  // namespace

std::optional<std::string> simulate_run_stream(std::string_view choices, ByteCount window) {
  return Simulation(choices, window).run();
}

}  // namespace satellite::tests
