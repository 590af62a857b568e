#include "agent/outbound/run_resources.hpp"

#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <catch2/catch.hpp>
#include <cerrno>

using namespace satellite;
using namespace satellite::agent;

namespace {

sandbox::RunResult failed(int error_number) {
  sandbox::RunResult result;
  result.outcome = sandbox::Outcome::setup_failed;
  result.error = "pipe2: no";
  result.error_number = error_number;
  return result;
}

sandbox::RunResult ended_with(sandbox::Outcome outcome) {
  sandbox::RunResult result;
  result.outcome = outcome;
  return result;
}

}  // namespace

TEST_CASE("a run that lacks something of the host is a state until a run is started again") {
  const UniqueFd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  Log log(LogLevel::error, nowhere.get());
  DegradedStates degraded;
  RunResources resources(log, degraded);
  const auto name = [&] {
    return degraded.find("runs") == nullptr ? "" : degraded.find("runs")->name;
  };
  resources.note(failed(EPERM));
  CHECK(name().empty());
  resources.note(failed(EMFILE));
  CHECK(name() == "no_descriptors");
  resources.note(failed(ENOMEM));
  CHECK(name() == "no_memory");
  resources.note(failed(EAGAIN));
  CHECK(name() == "no_processes");
  // What was not tried says nothing.
  resources.note(ended_with(sandbox::Outcome::refused));
  resources.note(ended_with(sandbox::Outcome::cancelled));
  CHECK(name() == "no_processes");
  resources.note(ended_with(sandbox::Outcome::exited));
  CHECK(name().empty());
}
