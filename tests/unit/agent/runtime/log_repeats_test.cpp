#include "agent/runtime/log_repeats.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;
using namespace std::chrono_literals;

namespace {

LogRepeats::Time at(std::chrono::seconds time) {
  return LogRepeats::Time(1'000s) + time;
}

LogRepeats::Line warning(const std::string& text, std::uint64_t attempt = 0) {
  return {LogLevel::warn,
          "connect_failed",
          text,
          {{"core", "https://core"}, LogField::varying("attempt", attempt)}};
}

LogRepeats::Line state(const std::string& event = "connected") {
  return {LogLevel::info, event == "connected" ? "connected" : "other", "", {}};
}

/// `warn connect_failed … repeated=3`, one for each line.
std::vector<std::string> in_words(const std::vector<LogRepeats::Line>& lines) {
  std::vector<std::string> words;
  for (const auto& line : lines) {
    words.push_back(format_log_line(line.level, line.event, line.text, line.fields));
  }
  return words;
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("a warning that is repeated is counted and told after ever longer times") {
  LogRepeats repeats;
  CHECK(in_words(repeats.take(warning("refused", 1), at(0s))) ==
        Words{"warn connect_failed core=https://core attempt=1 refused"});
  CHECK(repeats.take(warning("refused", 2), at(1s)).empty());
  CHECK(repeats.take(warning("refused", 3), at(29s)).empty());
  CHECK(in_words(repeats.take(warning("refused", 4), at(31s))) ==
        Words{"warn connect_failed core=https://core attempt=4 repeated=2 refused"});
  // The next window is twice as long.
  CHECK(repeats.take(warning("refused", 5), at(80s)).empty());
  CHECK(in_words(repeats.take(warning("refused", 6), at(91s))) ==
        Words{"warn connect_failed core=https://core attempt=6 repeated=1 refused"});
}

TEST_CASE("a day of the same two lines in turn is some hundred lines, and none is uncounted") {
  LogRepeats repeats;
  std::uint64_t written = 0, counted = 0;
  const auto note = [&](const std::vector<LogRepeats::Line>& lines) {
    for (const auto& line : lines) {
      ++written;
      const LogField& last = line.fields.back();
      if (last.key == "repeated") counted += std::stoull(last.value);
    }
  };
  constexpr std::uint64_t attempts = 86'400 / 15;
  for (std::uint64_t i = 0; i < attempts; ++i) {
    const auto now = at(std::chrono::seconds(15 * i));
    note(repeats.take(warning("refused", i), now));
    LogRepeats::Line waits{
        LogLevel::info, "reconnect_waits", "", {{"in", 7ms}, LogField::varying("attempt", i)}};
    note(repeats.take(std::move(waits), now));
  }
  const std::uint64_t told_in_turn = written;
  note(repeats.take_counted());
  CHECK(told_in_turn < 250);
  // Those that are told with a count are one of the repetitions themselves.
  CHECK(written + counted >= 2 * attempts);
}

TEST_CASE("any other line tells what was counted before it, and begins anew") {
  LogRepeats repeats;
  repeats.take(warning("refused"), at(0s));
  repeats.take(warning("refused"), at(1s));
  repeats.take(warning("timed out"), at(2s));
  CHECK(in_words(repeats.take(state(), at(3s))) ==
        Words{"warn connect_failed core=https://core attempt=0 repeated=1 refused",
              "info connected"});
  CHECK(repeats.take(warning("refused"), at(4s)).size() == 1);
  // Lines of a state are never counted.
  CHECK(repeats.take(state(), at(5s)).size() == 1);
  CHECK(repeats.take(state(), at(6s)).size() == 1);
}

TEST_CASE("more different warnings than are remembered have the oldest told") {
  LogRepeats repeats;
  repeats.take(warning("first"), at(0s));
  repeats.take(warning("first"), at(0s));
  for (std::size_t i = 0; i + 1 < LogRepeats::entries_max; ++i) {
    CHECK(repeats.take(warning(std::to_string(i)), at(1s)).size() == 1);
  }
  CHECK(in_words(repeats.take(warning("one more"), at(1s))) ==
        Words{"warn connect_failed core=https://core attempt=0 repeated=1 first",
              "warn connect_failed core=https://core attempt=0 one more"});
  CHECK(repeats.take_counted().empty());
}
