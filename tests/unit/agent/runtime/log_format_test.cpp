#include "agent/runtime/duration_text.hpp"
#include "agent/runtime/log.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <regex>

using namespace satellite;
using namespace satellite::agent;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const LogField some_fields[] = {{"core", "https://core"}, {"attempt", 3}, {"in", 310'000ms}};

std::string spelled(LogFormat format, const std::string& text) {
  return format_log_line(format, LogLevel::warn, "connect_failed", text, some_fields);
}

/// What a log writes into a pipe, which JOURNAL_STREAM may name.
std::string written(LogFormat format, bool to_journal) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  struct stat facts {};
  REQUIRE(::fstat(writer.get(), &facts) == 0);
  // Of another file it means nothing: it is inherited by whatever a service starts.
  const std::string named =
      std::to_string(facts.st_dev) + ":" + std::to_string(facts.st_ino + (to_journal ? 0 : 1));
  ::setenv("JOURNAL_STREAM", named.c_str(), 1);
  {
    Log log(LogLevel::debug, writer.get(), format);
    log.error("broken", "");
    log.warn("refused", "");
    log.info("connected", "");
    log.debug("detail", "");
  }
  ::unsetenv("JOURNAL_STREAM");
  writer.reset();
  std::string text(4096, '\0');
  const ssize_t size = ::read(reader.get(), text.data(), text.size());
  REQUIRE(size > 0);
  text.resize(static_cast<std::size_t>(size));
  return text;
}

}  // namespace

TEST_CASE("durations are written for people") {
  const auto [duration, words] = GENERATE(table<std::chrono::milliseconds, std::string>({
      {-5ms, "0ms"},
      {0ms, "0ms"},
      {999ms, "999ms"},
      {1'000ms, "1s"},
      {1'250ms, "1.2s"},
      {45'900ms, "45s"},
      {310'000ms, "5m10s"},
      {300'000ms, "5m"},
      {7'500'000ms, "2h5m"},
      {86'400'000ms, "1d"},
      {273'600'000ms, "3d4h"},
  }));
  CHECK(duration_text(duration) == words);
}

TEST_CASE("a line has its fields in each spelling, for machines with plain numbers") {
  CHECK(spelled(LogFormat::text, "no answer") ==
        "warn connect_failed core=https://core attempt=3 in=5m10s no answer");
  CHECK(spelled(LogFormat::logfmt, "no answer") ==
        "level=warn event=connect_failed core=https://core attempt=3 in_ms=310000 "
        "text=\"no answer\"");
  CHECK(json::parse(spelled(LogFormat::json, "no answer")) == json({{"level", "warn"},
                                                                    {"event", "connect_failed"},
                                                                    {"core", "https://core"},
                                                                    {"attempt", 3},
                                                                    {"in_ms", 310'000},
                                                                    {"text", "no answer"}}));
}

TEST_CASE("whatever comes from outside stays within one line in each spelling") {
  const auto format = GENERATE(LogFormat::json, LogFormat::logfmt);
  const std::string hostile = GENERATE(as<std::string>(), "x\nerror forged", "\xff\xfe broken",
                                       "\xe2\x80\xae turned", "quote \" and \\", "\x1b[2J");
  const LogField field("key", hostile);
  const std::string line =
      format_log_line(format, LogLevel::info, "event", hostile, std::span(&field, 1));
  CAPTURE(line);
  for (const char c : line) CHECK((c >= ' ' && c <= '~'));
  if (format == LogFormat::json) CHECK(json::parse(line).at("event") == "event");
}

TEST_CASE("long values are cut in JSON, too, between two characters") {
  const std::string value = std::string(511, 'a') + "ü and more";
  const LogField field("key", value);
  const json line = json::parse(
      format_log_line(LogFormat::json, LogLevel::info, "event", "", std::span(&field, 1)));
  CHECK(line.at("key") == std::string(511, 'a') + "…(522 bytes)");
}

TEST_CASE("the journal gets priorities instead of times, and nobody else does") {
  CHECK(written(LogFormat::text, true) ==
        "<3>error broken\n<4>warn refused\n<6>info connected\n<7>debug detail\n");
  CHECK(written(LogFormat::logfmt, true).starts_with("<3>level=error event=broken\n"));
  CHECK(written(LogFormat::json, true)
            .starts_with("<3>{\"level\":\"error\",\"event\":\"broken\"}\n<4>{"));
  const std::string time = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z";
  CHECK(std::regex_search(written(LogFormat::text, false),
                          std::regex("^" + time + " error broken\n" + time + " warn")));
  CHECK(std::regex_search(written(LogFormat::logfmt, false),
                          std::regex("^time=" + time + " level=error event=broken\n")));
  const std::string as_json = written(LogFormat::json, false);
  const json first = json::parse(as_json.substr(0, as_json.find('\n')));
  CHECK(std::regex_match(first.at("time").get<std::string>(), std::regex(time)));
  CHECK(first.at("level") == "error");
}
