#include "agent/dispatch/run_log.hpp"

#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <array>
#include <catch2/catch.hpp>
#include <string>

using namespace satellite;
using agent::LogLevel;

namespace {

/// What the log says about the end of this run, as one text.
std::string lines_of(const sandbox::RunResult& result, LogLevel level) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const UniqueFd reader(ends[0]);
  {
    const UniqueFd writer(ends[1]);
    agent::Log log(level, writer.get());
    agent::log_run_end(log, "run-7", result);
  }
  std::string text(16'384, '\0');
  const auto size = ::read(reader.get(), text.data(), text.size());
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

sandbox::RunResult degraded_run() {
  sandbox::RunResult result;
  result.outcome = sandbox::Outcome::exited;
  result.exit_code = 0;
  result.sandbox.platform = "linux";
  result.sandbox.downgrades = {{sandbox::Layer::network, "no way out"},
                               {sandbox::Layer::privilege, "no drop"}};
  result.sandbox.notes = {{sandbox::Layer::resources, "memory of shells"}};
  return result;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a run that got less than its policy asks for is warned of, with each layer and why") {
  const std::string text = lines_of(degraded_run(), LogLevel::info);
  CHECK(contains(text, "info script_finished run=run-7 outcome=exited exit=0"));
  CHECK(contains(text, "warn sandbox_degraded run=run-7"));
  CHECK(contains(text, "network, privilege not fully enforced on linux"));
  CHECK(contains(text, "network: no way out; privilege: no drop"));
}

TEST_CASE("a run that got everything is one line") {
  auto result = degraded_run();
  result.sandbox.downgrades.clear();
  const std::string text = lines_of(result, LogLevel::info);
  CHECK(contains(text, "script_finished"));
  CHECK_FALSE(contains(text, "sandbox_degraded"));
}

TEST_CASE("a refused run says why once, in its own line") {
  auto result = degraded_run();
  result.outcome = sandbox::Outcome::refused;
  result.error = "sandbox unavailable: network: no way out";
  const std::string text = lines_of(result, LogLevel::info);
  CHECK(contains(text, "warn script_finished run=run-7 outcome=refused"));
  CHECK(contains(text, "sandbox unavailable: network: no way out"));
  CHECK_FALSE(contains(text, "sandbox_degraded"));
}

TEST_CASE("a run whose set-up failed is warned of: nothing of it ran") {
  sandbox::RunResult result;
  result.outcome = sandbox::Outcome::setup_failed;
  result.error = "setup step cgroup failed";
  CHECK(contains(lines_of(result, LogLevel::warn), "warn script_finished run=run-7"));
}

TEST_CASE("notes, which are the same for every run of a host, are told to those who debug") {
  CHECK_FALSE(contains(lines_of(degraded_run(), LogLevel::info), "sandbox_notes"));
  CHECK(contains(lines_of(degraded_run(), LogLevel::debug),
                 "debug sandbox_notes run=run-7 script sandbox notes (resources) on linux; "
                 "resources: memory of shells"));
}
