#include "tests/end_to_end/fault_scene.hpp"
#include "tests/support/file_text.hpp"

#include "tests/support/sanitizer.hpp"

#include <unistd.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace satellite::tests {

using namespace std::chrono_literals;

namespace {

// Of a debug build; a leak of what waits or of a reconnect is far above it.
// What a sanitizer keeps of freed memory counts as well.
constexpr std::size_t resident_max_kib = (has_sanitizer ? 1'024U : 96U) << 10U;

Scene::Options through(const FaultProxy& proxy, FaultScene::Options wanted) {
  Scene::Options options = std::move(wanted.scene);
  const char* const patience = wanted.is_impatient ? "3" : "60";
  Scene::Options checks = with_checks({shell_check("alive", "echo alive", 1)});
  if (!options.core.policy) options.core.policy = checks.core.policy;
  if (options.core.assignments == "[]") options.core.assignments = checks.core.assignments;
  options.core.extensions = {"script-dispatch/1", "result-ack/1"};
  const std::map<std::string, std::string> quick{
      {"CHECKSTACK_CORE_URL", "https://127.0.0.1:" + std::to_string(proxy.port())},
      {"CHECKSTACK_SATELLITE_SILENCE_MAX", patience},
      {"CHECKSTACK_SATELLITE_CONNECT_DEADLINE", patience},
      {"CHECKSTACK_SATELLITE_BACKOFF_MAX", "1"},
      {"CHECKSTACK_SATELLITE_LOG_LEVEL", "debug"}};
  for (const auto& [name, value] : quick) options.environment.emplace(name, value);
  options.waits_until_connected = false;
  return options;
}

}  // namespace

FaultScene::FaultScene(Options options) : scene_(through(proxy_, options)) {
  proxy_.set(Direction::to_core, options.to_core);
  proxy_.set(Direction::to_satellite, options.to_satellite);
  proxy_.forward_to(scene_.core().port());
  if (options.waits_until_connected) {
    INFO(scene_.satellite().log());
    REQUIRE(scene_.core().wait_until_authenticated());
    nth_result(scene_, "alive");
  }
  since_ = std::chrono::steady_clock::now();
  used_before_ = processor_time();
}

std::size_t FaultScene::lines(const std::string& words) const {
  std::istringstream log(file_text(scene_.log_file()));
  std::size_t count = 0;
  for (std::string line; std::getline(log, line);) count += line.find(words) != std::string::npos;
  return count;
}

void FaultScene::wait_for_lines(const std::string& words, std::size_t count) {
  const auto says_so = [&] { return lines(words) >= count; };
  eventually("the log says " + words, says_so, scene_.satellite());
}

/// Of the agent and of its launcher, without what they started.
std::chrono::nanoseconds FaultScene::processor_time() {
  auto pids = children_of(scene_.satellite().pid());
  pids.push_back(scene_.satellite().pid());
  std::int64_t ticks = 0;
  for (const pid_t pid : pids) {
    const std::string stat = file_text("/proc/" + std::to_string(pid) + "/stat");
    std::istringstream fields(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
    std::string field;
    std::int64_t user = 0, system = 0;
    for (int i = 0; i < 11; ++i) fields >> field;
    fields >> user >> system;
    ticks += user + system;
  }
  return std::chrono::nanoseconds(1s) * ticks / ::sysconf(_SC_CLK_TCK);
}

void FaultScene::check_well() {
  const std::size_t before = lines(" check_finished ");
  const auto go_on = [&] { return lines(" check_finished ") >= before + 2; };
  eventually("checks go on", go_on, scene_.satellite());
  REQUIRE(scene_.satellite().running());
  const auto now = std::chrono::steady_clock::now();
  const auto used = processor_time();
  // A check a second costs a debug build some tens of milliseconds; a loop without a wait, all.
  CHECK(used - used_before_ < 500ms + (now - since_) / 3);
  since_ = now;
  used_before_ = used;
  const std::string status =
      file_text("/proc/" + std::to_string(scene_.satellite().pid()) + "/status");
  const auto at = status.find("VmRSS:");
  REQUIRE(at != std::string::npos);
  CHECK(std::stoul(status.substr(at + 6)) < resident_max_kib);
}

void FaultScene::check_recovery() {
  proxy_.heal();
  const auto has_come = [&] {
    std::set<std::string> moments;
    for (const json& one : results_of(scene_, "alive")) moments.insert(one.at("executedAt"));
    // Read after what came, so that one that is lost keeps this from being true for ever.
    return moments.size() >= lines(" check_finished check=alive ");
  };
  eventually("every result has come", has_come, scene_.satellite());
  std::map<std::string, std::set<std::string>> ids;
  for (const json& one : results_of(scene_, "alive")) {
    ids[one.at("executedAt")].insert(one.value("resultId", ""));
  }
  for (const auto& [moment, of_one] : ids) CHECK(of_one.size() == 1);
}

}  // namespace satellite::tests
