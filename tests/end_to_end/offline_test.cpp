// What goes on without a core, for how long, and what a restart may use.
#include "tests/end_to_end/check_scene.hpp"
#include "tests/support/file_text.hpp"

#include <sys/stat.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace satellite;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

const std::string secret_value = "s3cr3t value/XYZ42";

Scene::Options offline_checks(const std::vector<json>& checks) {
  auto options = with_checks(
      checks, {{{"secret/c1", "\"env\":{\"API_TOKEN\":\"" + secret_value + "\"}"}}, {}, true});
  options.environment["CHECKSTACK_SATELLITE_LOG_LEVEL"] = "debug";
  options.environment["CHECKSTACK_SATELLITE_BACKOFF_MAX"] = "1";
  return options;
}

std::size_t count_lines(Scene& scene, const std::string& words) {
  std::istringstream log(scene.satellite().log());
  std::size_t count = 0;
  for (std::string line; std::getline(log, line);) count += line.find(words) != std::string::npos;
  return count;
}

void wait_for_checks(Scene& scene, std::size_t more) {
  const std::size_t before = count_lines(scene, " check_finished ");
  eventually("checks go on",
             [&] { return count_lines(scene, " check_finished ") >= before + more; });
}

std::filesystem::path cache_of(Scene& scene) {
  return scene.state_directory() / "offline.cache";
}

/// A satellite whose cache is written, and which then ends, as its core does.
void end_with_cache(Scene& scene) {
  nth_result(scene, "count");
  eventually("the cache is written", [&] { return std::filesystem::exists(cache_of(scene)); });
  scene.stop_core();
  scene.end_satellite();
}

}  // namespace

TEST_CASE("checks go on without the core, under its policy, and those with secrets are skipped") {
  Scene scene(offline_checks(
      {shell_check("count", "echo counted", 1), with_token(shell_check("secret", "echo ran", 1))}));
  nth_result(scene, "count");
  nth_result(scene, "secret");
  scene.stop_core();
  scene.wait_for_log(" disconnected ");
  wait_for_checks(scene, 3);
  scene.wait_for_log(" check_skipped check=secret");
  scene.start_core();
  REQUIRE(scene.core().wait_until_authenticated());
  const json result = nth_result(scene, "count", 3);
  CHECK(result.at("status") == "healthy");
  CHECK(collector_of(result).at("_sandbox").at("enforced").at("network") == true);
  for (const json& one : results_of(scene, "secret")) CHECK(one.at("status") == "healthy");
}

TEST_CASE("a policy older than the operator permits fails closed, and the core makes it young") {
  auto options = offline_checks({shell_check("count", "echo counted", 1)});
  options.environment["CHECKSTACK_SATELLITE_MAX_POLICY_AGE"] = "1";
  Scene scene(std::move(options));
  nth_result(scene, "count");
  scene.stop_core();
  scene.wait_for_log(" policy_expired ");
  wait_for_checks(scene, 2);
  scene.start_core();
  REQUIRE(scene.core().wait_until_authenticated());
  const auto with_status = [&](const std::string& status) {
    std::vector<json> found;
    for (const json& one : results_of(scene, "count")) {
      if (one.at("status") == status) found.push_back(one);
    }
    return found;
  };
  eventually("what failed closed is told", [&] { return !with_status("unhealthy").empty(); });
  CHECK(with_status("unhealthy")[0].dump().find("offline.max_policy_age") != std::string::npos);
  const std::string last_unhealthy = with_status("unhealthy").back().at("executedAt");
  eventually("it is healthy again", [&] {
    const auto healthy = with_status("healthy");
    return !healthy.empty() && healthy.back().at("executedAt") > last_unhealthy;
  });
}

TEST_CASE("a restart without a core runs nothing, unless the operator asked for a cache") {
  const bool is_cached = GENERATE(false, true);
  auto options = offline_checks({shell_check("count", "echo counted", 1),
                                 with_token(shell_check("secret", "echo ran", 3'600))});
  options.environment["CHECKSTACK_SATELLITE_OFFLINE_CACHE"] = is_cached ? "true" : "false";
  Scene scene(std::move(options));
  nth_result(scene, "secret");
  nth_result(scene, "count");
  if (is_cached) {
    end_with_cache(scene);
    struct stat facts {};
    REQUIRE(::stat(cache_of(scene).c_str(), &facts) == 0);
    CHECK((facts.st_mode & 07777) == 0600);
    const std::string content = file_text(cache_of(scene));
    CHECK(content.find("echo counted") != std::string::npos);
    CHECK(content.find(secret_value) == std::string::npos);
    CHECK(content.find("csat_right") == std::string::npos);
  } else {
    scene.stop_core();
    scene.end_satellite();
    CHECK_FALSE(std::filesystem::exists(cache_of(scene)));
  }
  const std::size_t before = count_lines(scene, " check_finished ");
  scene.start_satellite();
  if (is_cached) {
    scene.wait_for_log(" offline_cache_used ");
    wait_for_checks(scene, 2);
  }
  // Long enough to have read a cache and run what is in it.
  eventually("the core is missed", [&] { return count_lines(scene, " connect_failed ") >= 3; });
  CHECK((count_lines(scene, " check_finished ") > before) == is_cached);
  scene.start_core();
  REQUIRE(scene.core().wait_until_authenticated());
  CHECK(nth_result(scene, "count", 2).at("status") == "healthy");
}

TEST_CASE("a cache that is damaged, open to others or of another token is not used") {
  auto options = offline_checks({shell_check("count", "echo counted", 1)});
  options.environment["CHECKSTACK_SATELLITE_OFFLINE_CACHE"] = "true";
  Scene scene(std::move(options));
  end_with_cache(scene);
  const auto cache = cache_of(scene);
  const std::string content = file_text(cache);
  std::string changed = content;
  changed[changed.size() / 2] = static_cast<char>(changed[changed.size() / 2] ^ 1);
  std::size_t refused = 0;
  const auto is_refused = [&](const std::string& why) {
    scene.start_satellite();
    ++refused;
    eventually("it is refused",
               [&] { return count_lines(scene, " offline_cache_refused ") == refused; });
    INFO(scene.satellite().log());
    CHECK(count_lines(scene, why) > 0);
    scene.end_satellite();
  };
  std::ofstream(cache, std::ios::binary | std::ios::trunc) << changed;
  is_refused("it is damaged, or was written with another token");
  std::ofstream(cache, std::ios::binary | std::ios::trunc) << content;
  ::chmod(cache.c_str(), 0644);
  is_refused("only this user may read and write");
  CHECK(count_lines(scene, " offline_cache_used ") == 0);
  // The control: nothing else was wrong with it.
  ::chmod(cache.c_str(), 0600);
  scene.start_satellite();
  scene.wait_for_log(" offline_cache_used ");
}

TEST_CASE("a satellite that the core tells to stop runs its checks no more, also after a restart") {
  auto options = offline_checks({shell_check("count", "echo counted", 1)});
  options.environment["CHECKSTACK_SATELLITE_OFFLINE_CACHE"] = "true";
  Scene scene(std::move(options));
  nth_result(scene, "count");
  eventually("the cache is written", [&] { return std::filesystem::exists(cache_of(scene)); });
  scene.core().shut_down_satellite("deleted");
  scene.wait_for_log(" shutdown_received ");
  scene.wait_for_log(" assignments_taken checks=0 ");
  eventually("the cache is gone", [&] { return !std::filesystem::exists(cache_of(scene)); });
}

TEST_CASE("who wants no cache any more has none") {
  Scene scene(offline_checks({shell_check("count", "echo counted", 1)}));
  nth_result(scene, "count");
  scene.end_satellite();
  std::ofstream(cache_of(scene)) << "of earlier times";
  scene.start_satellite();
  eventually("it is removed", [&] { return !std::filesystem::exists(cache_of(scene)); });
}
