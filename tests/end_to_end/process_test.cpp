// The program as a process: what its standard error and the memory of its launcher are good for.
#include "protocol/vocabulary/unique_fd.hpp"
#include "tests/end_to_end/check_scene.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/sanitizer.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace satellite;
using namespace satellite::tests;

namespace {

struct AddressRange {
  unsigned long first, last;
};

/// How often these bytes stand there, read in pieces; what one piece ends with and the next one
/// goes on with counts, too.
std::size_t count_between(int memory, AddressRange range, const std::string& wanted) {
  constexpr std::size_t piece_size = 1 << 20;
  std::size_t count = 0;
  std::string bytes;
  for (unsigned long at = range.first; at < range.last;) {
    const std::size_t kept = std::min(bytes.size(), wanted.size() - 1);
    bytes.erase(0, bytes.size() - kept);
    bytes.resize(kept + std::min(piece_size, range.last - at));
    const ssize_t got =
        ::pread(memory, bytes.data() + kept, bytes.size() - kept, static_cast<off_t>(at));
    if (got <= 0) break;
    bytes.resize(kept + static_cast<std::size_t>(got));
    at += static_cast<unsigned long>(got);
    for (auto found = bytes.find(wanted); found != std::string::npos;
         found = bytes.find(wanted, found + 1)) {
      ++count;
    }
  }
  return count;
}

/// How often these bytes stand in the writable memory of a process.
std::size_t count_in_memory(pid_t pid, const std::string& wanted) {
  const std::string process = "/proc/" + std::to_string(pid);
  const UniqueFd memory(::open((process + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(memory);
  std::size_t count = 0;
  std::ifstream maps(process + "/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    unsigned long first = 0, last = 0;
    char dash = 0;
    std::string rights;
    fields >> std::hex >> first >> dash >> last >> rights;
    if (rights.substr(0, 2) != "rw") continue;
    // So large are only address ranges that were reserved and are used in places, such as the
    // shadow memory of a sanitizer.
    constexpr unsigned long reservation_size = 1ul << 30;
    if (last - first > reservation_size) continue;
    count += count_between(memory.get(), {first, last}, wanted);
  }
  return count;
}

}  // namespace

TEST_CASE("the launcher never has the token, and the agent has it once and in no frame") {
  if (!require_layer("root", ::geteuid() == 0, "only root reads another process's memory")) return;
  const bool from_file = GENERATE(true, false);
  const std::string token = "csat_QmVhc3RPZkJ1cmRlbjAxMjM0NTY3ODlhYmNkZWZnaGlq";
  const TempDir directory;
  Scene::Options options = with_checks({shell_check("cfg", "echo alive", 1)});
  options.core.tokens["satellite-1"] = token;
  options.environment["CHECKSTACK_SATELLITE_TOKEN"] = from_file ? "" : token;
  if (from_file) {
    const std::string path = directory.write("token", token + "\n");
    ::chmod(path.c_str(), 0600);
    options.environment["CHECKSTACK_SATELLITE_TOKEN_FILE"] = path;
  }
  Scene scene(std::move(options));
  nth_result(scene, "cfg");
  const auto children = children_of(scene.satellite().pid());
  REQUIRE(children.size() == 1);
  const pid_t launcher = children.front(), agent = scene.satellite().pid();
  // The controls: what both were told before the fork is found in both.
  CHECK(count_in_memory(launcher, "satellite-1") > 0);
  CHECK(count_in_memory(agent, "satellite-1") > 0);
  // A sanitizer's runtime reads /proc/self/environ for itself, and its allocator keeps the copies
  // that were freed.
  const std::size_t kept_environment = has_sanitizer && !from_file ? 1 : 0;
  CHECK(count_in_memory(launcher, token) == kept_environment);
  if (has_sanitizer) {
    CHECK(count_in_memory(agent, token) >= 1);
  } else {
    CHECK(count_in_memory(agent, token) == 1);
    CHECK(count_in_memory(agent, "\"token\":\"" + token) == 0);
  }
}

TEST_CASE(
    "a standard error that nobody reads holds nothing up, and is told when it is read again") {
  devcore::Settings settings;
  settings.tokens["satellite-1"] = "csat_right";
  settings.policy = default_policy;
  settings.transport = devcore::Transport::plain;
  settings.assignments = as_set({shell_check("cfg", "echo alive", 1)});
  auto core = devcore::DevCore::start(std::move(settings));
  REQUIRE(core);
  const TempDir directory;
  const std::string pipe = (directory.path() / "stderr").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  // Both ends, so that opening does not wait; of the smallest size, and full from the start.
  UniqueFd reader(::open(pipe.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  REQUIRE(reader);
  ::fcntl(reader.get(), F_SETPIPE_SZ, 4096);
  const std::string filler(4096, '.');
  REQUIRE(::write(reader.get(), filler.data(), filler.size()) == 4096);
  {
    SatelliteProcess satellite({{"run"},
                                {{"PATH", "/usr/bin:/bin"},
                                 {"CHECKSTACK_CORE_URL", (*core)->url()},
                                 {"CHECKSTACK_SATELLITE_CLIENT_ID", "satellite-1"},
                                 {"CHECKSTACK_SATELLITE_TOKEN", "csat_right"},
                                 {"CHECKSTACK_SATELLITE_LOG_LEVEL", "debug"}},
                                pipe});
    REQUIRE((*core)->wait_for_frame("result", std::chrono::seconds(60), 3));
    // Read again, it has everything in order, although no new line may come for long.
    std::string log;
    std::array<char, 4096> piece{};
    eventually("the log is read", [&] {
      const ssize_t got = ::read(reader.get(), piece.data(), piece.size());
      if (got > 0) log.append(piece.data(), static_cast<std::size_t>(got));
      return log.find("check_finished") != std::string::npos;
    });
    CHECK(log.find(" starting ") < log.find(" authenticated "));
    CHECK(log.find(" authenticated ") < log.find(" check_finished "));
    // The open file that it was given, and may share with others, still blocks whoever writes to
    // it.
    const std::string info = "/proc/" + std::to_string(satellite.pid()) + "/fdinfo/2";
    std::ifstream flags_of(info);
    std::string word;
    unsigned flags = 0;
    while (flags_of >> word && word != "flags:") continue;
    if (flags_of >> std::oct >> flags) CHECK((flags & O_NONBLOCK) == 0);
    satellite.signal(SIGTERM);
    CHECK(satellite.wait() == 0);
  }
}

TEST_CASE("a satellite whose log nobody takes works all the same") {
  // Closed; a disk that is full; a pipe whose reader is gone.
  const std::string outputs =
      GENERATE(as<std::string>(), ">&- 2>&-", ">/dev/full 2>/dev/full", "3<>\"$0\" 2>\"$0\" 3>&-");
  CAPTURE(outputs);
  devcore::Settings settings;
  settings.tokens["satellite-1"] = "csat_right";
  settings.policy = default_policy;
  settings.transport = devcore::Transport::plain;
  auto core = devcore::DevCore::start(std::move(settings));
  REQUIRE(core);
  // The shell closes it; the program then is the shell's child no more but in its place.
  const char* const copy = std::getenv("SATELLITE_BINARY");
  const std::string command = std::string("exec ") + (copy != nullptr ? copy : SATELLITE_BINARY) +
                              " run </dev/null " + outputs;
  // The default is the host's own.
  const TempDir files;
  const std::string state =
      "CHECKSTACK_SATELLITE_STATE_DIRECTORY=" + (files.path() / "state").string();
  const std::string pipe = (files.path() / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    const std::string url = "CHECKSTACK_CORE_URL=" + (*core)->url();
    const char* const environment[] = {"PATH=/usr/bin:/bin",
                                       url.c_str(),
                                       state.c_str(),
                                       "CHECKSTACK_SATELLITE_CLIENT_ID=satellite-1",
                                       "CHECKSTACK_SATELLITE_TOKEN=csat_right",
                                       nullptr};
    const char* const arguments[] = {"sh", "-c", command.c_str(), pipe.c_str(), nullptr};
    ::execve("/bin/sh", const_cast<char* const*>(arguments), const_cast<char* const*>(environment));
    ::_exit(127);
  }
  const auto connected = (*core)->wait_until_authenticated();
  std::string run_id;
  if (connected) {
    protocol::RunScript hello = script("echo works");
    run_id = hello.run_id.text;
    (*core)->dispatch(std::move(hello));
    const auto finished = (*core)->wait_finished(run_id, std::chrono::seconds(30));
    CHECK(finished);
    if (finished) CHECK(finished->finished->outcome == "exited");
  }
  ::kill(pid, SIGTERM);
  int status = 0;
  ::waitpid(pid, &status, 0);
  CHECK(connected);
  CHECK(WIFEXITED(status));
}

TEST_CASE("a check whose sandbox cannot be had is a warning, one that fails by itself is not") {
  Scene::Options options = with_checks({shell_check("cfg", "echo alive", 1)});
  options.environment["CHECKSTACK_SANDBOX_ENGINES"] = "nsjail";
  options.environment["PATH"] = "/nonexistent";
  Scene refusing(std::move(options));
  refusing.wait_for_log("warn check_unhealthy ");
  json unknown = shell_check("cfg", "echo alive", 1);
  unknown["strategyId"] = "healthcheck-other.other";
  Scene failing(with_checks({unknown}));
  failing.wait_for_log("check_unhealthy ");
  CHECK(failing.satellite().log().find("info check_unhealthy ") != std::string::npos);
}

TEST_CASE("log.format is JSON on every line when it is asked for") {
  Scene::Options options = Scene::with_policy(default_policy);
  options.environment["CHECKSTACK_SATELLITE_LOG_FORMAT"] = "json";
  Scene scene(std::move(options));
  scene.run("echo alive");
  scene.wait_for_log("\"event\":\"script_finished\"");
  std::istringstream lines(scene.satellite().log());
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line) && !lines.eof(); ++count) {
    CAPTURE(line);
    const json parsed = json::parse(line, nullptr, false);
    REQUIRE(parsed.is_object());
    CHECK(parsed.contains("time"));
  }
  CHECK(count > 3);
}
