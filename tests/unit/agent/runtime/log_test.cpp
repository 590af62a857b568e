#include "agent/runtime/log.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <regex>

using namespace satellite;
using namespace satellite::agent;
using namespace std::chrono_literals;

namespace {

std::string line_with(const std::string& value) {
  const LogField field("key", value);
  return format_log_line(LogLevel::info, "event", "", std::span(&field, 1));
}

}  // namespace

TEST_CASE("a log line is level, event, fields and text") {
  const LogField fields[] = {{"core", "wss://core.example.org"},
                             {"attempt", 3},
                             {"in", 84ms},
                             {"error_code", ErrorCode::timed_out}};
  CHECK(format_log_line(LogLevel::warn, "connect_failed", "no answer: retry", fields) ==
        "warn connect_failed core=wss://core.example.org attempt=3 in=84ms error_code=timed_out "
        "no answer: retry");
}

TEST_CASE("a value that could be mistaken for more than one field is quoted") {
  CHECK(line_with("plain") == "info event key=plain");
  CHECK(line_with("") == "info event key=\"\"");
  CHECK(line_with("two words") == "info event key=\"two words\"");
  CHECK(line_with("a=b") == "info event key=\"a=b\"");
  CHECK(line_with("say \"hi\"") == "info event key=\"say \\\"hi\\\"\"");
  CHECK(line_with("back\\slash") == "info event key=\"back\\\\slash\"");
  CHECK(line_with("grün") == "info event key=grün");
}

TEST_CASE("a hostile core can neither break the line nor paint the terminal") {
  const auto [hostile, harmless] = GENERATE(table<std::string, std::string>({
      {"x\nerror agent_stopped", "x\\nerror agent_stopped"},
      {"x\r\n", "x\\r\\n"},
      {"\x1b[2J\x1b[31m", "\\x1b[2J\\x1b[31m"},
      {std::string("a\0b", 3), "a\\x00b"},
      {"\x7f\b", "\\x7f\\x08"},
      {"\xc2\x9b"
       "31m",
       "\\xc2\\x9b31m"},  // CSI as one C1 control
      {"\xe2\x80\xae"
       "txt.exe",
       "\\xe2\\x80\\xaetxt.exe"},           // right-to-left override
      {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},  // line separator
      {"\xff\xfe", "\\xff\\xfe"},           // not UTF-8
      {"\xc0\xaf", "\\xc0\\xaf"},           // overlong
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},  // surrogate
      {"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
      {"cut \xe2\x82", "cut \\xe2\\x82"},
      {"\\n", "\\\\n"},
  }));
  CAPTURE(harmless);
  CHECK(line_with(hostile) == "info event key=\"" + harmless + "\"");
  CHECK(format_log_line(LogLevel::info, "event", hostile, {}) == "info event " + harmless);
}

TEST_CASE("no byte string whatever makes a second line") {
  std::string all;
  for (int first = 0; first < 256; ++first) {
    for (const int second : {0, 10, 13, 27, 128, 155, 168, 255}) {
      all = {static_cast<char>(first), static_cast<char>(second), 'x'};
      const std::string line = line_with(all) + format_log_line(LogLevel::info, "e", all, {});
      const bool has_control = std::any_of(line.begin(), line.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
      });
      REQUIRE_FALSE(has_control);
    }
  }
}

TEST_CASE("long values and texts are cut on a character, and say so") {
  const std::string line = line_with(std::string(511, 'a') + "ü and more");
  CHECK(line == "info event key=\"" + std::string(511, 'a') + "…(522 bytes)\"");
  const std::string text =
      format_log_line(LogLevel::info, "event", std::string(1'000'000, 'b'), {});
  CHECK(text.size() < 2'200);
  CHECK(text.find("…(1000000 bytes)") != std::string::npos);
}

TEST_CASE("the log writes one stamped line per event at or above its level") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  {
    Log log(LogLevel::info, writer.get());
    log.debug("hidden", "not written");
    log.info("connected", "", {{"in", 84ms}});
    log.error("broken", "line\nbreak");
    CHECK_FALSE(log.writes(LogLevel::debug));
    log.set_level(LogLevel::debug);
    log.debug("shown", "now");
  }
  writer.reset();
  std::string written(4096, '\0');
  const ssize_t size = ::read(reader.get(), written.data(), written.size());
  REQUIRE(size > 0);
  written.resize(static_cast<std::size_t>(size));
  const std::string stamp = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z ";
  CHECK(std::regex_match(
      written, std::regex(stamp + "info connected in=84ms\n" + stamp +
                          "error broken line\\\\nbreak\n" + stamp + "debug shown now\n")));
}

namespace {

/// The two ends of what a log may be written to, as small as the kernel makes it.
struct PipeEnds {
  UniqueFd reader, writer;
};

PipeEnds small_pipe() {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  ::fcntl(ends[1], F_SETPIPE_SZ, 4096);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

PipeEnds small_socket() {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const int size = 4096;
  ::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// What is there now; the reader's own open file may be told not to block.
std::string read_all(const UniqueFd& reader) {
  ::fcntl(reader.get(), F_SETFL, O_NONBLOCK);
  std::string text, piece(64U << 10U, '\0');
  for (ssize_t got = 1; got > 0;) {
    got = ::read(reader.get(), piece.data(), piece.size());
    if (got > 0) text.append(piece, 0, static_cast<std::size_t>(got));
  }
  return text;
}

std::size_t count_of(const std::string& text, const std::string& words) {
  std::size_t count = 0;
  for (auto at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("a log that nobody reads holds nobody up, loses what is too much and counts it") {
  const bool is_pipe = GENERATE(true, false);
  const PipeEnds ends = is_pipe ? small_pipe() : small_socket();
  constexpr std::size_t lines = 20'000;
  Log log(LogLevel::info, ends.writer.get());
  std::size_t told = 0;
  log.on_backlog([&told] { ++told; });
  // A descriptor that blocked would keep this loop for ever.
  for (std::size_t i = 0; i < lines; ++i) log.info("line", "", {{"number", i}});
  CHECK(told > 0);
  CHECK((::fcntl(ends.writer.get(), F_GETFL) & O_NONBLOCK) == 0);
  std::string text;
  for (bool done = false; !done;) {
    text += read_all(ends.reader);
    done = log.flush();
  }
  text += read_all(ends.reader);
  log.info("after", "");
  text += read_all(ends.reader);
  // Whole lines, the first ones, in order; then how many are missing; then what came later.
  const std::size_t kept = count_of(text, " info line number=");
  CHECK(kept > 1'000);
  CHECK(kept < lines);
  const std::string lost = "warn log_lines_lost lines=" + std::to_string(lines - kept);
  REQUIRE(text.find(lost) != std::string::npos);
  CHECK(text.find(" number=" + std::to_string(kept - 1) + "\n") < text.find(lost));
  CHECK(text.find(" info after\n") > text.find(lost));
  CHECK(count_of(text, "log_lines_lost") == 1);
}

TEST_CASE("a log whose reader is gone, or whose descriptor is closed, is no reason to stop") {
  // As in main().
  const auto ignored = ::signal(SIGPIPE, SIG_IGN);
  {
    PipeEnds ends = small_pipe();
    Log log(LogLevel::info, ends.writer.get());
    ends.reader.reset();
    for (int i = 0; i < 100; ++i) log.info("line", "");
    CHECK(log.flush());
    Log closed(LogLevel::info, -1);
    for (int i = 0; i < 100; ++i) closed.info("line", "");
    CHECK(closed.flush());
  }
  ::signal(SIGPIPE, ignored);
}
